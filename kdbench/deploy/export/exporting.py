"""Writes a trained student by an exporter and evaluates the written model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from kdbench.contracts import Exporter, Task
from kdbench.contracts.exporter import ExportContext, Exported
from kdbench.contracts.task import Report
from kdbench.deploy.data_of_record import data_of
from kdbench.deploy.export.card import write_card
from kdbench.deploy.export.folder import new_folder, sizes
from kdbench.deploy.export.load import trained_student
from kdbench.deploy.export.metadata import write_metadata
from kdbench.deploy.export.parity import agreement, arrays_of, check_difference
from kdbench.deploy.export.report import ExportReport
from kdbench.errors import KdbenchError
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.record import Record
from kdbench.records.tasks import task_of
from kdbench.storage.cache import Cache
from kdbench.suite.spec import PluginSpec
from kdbench.training.evaluation import evaluated


def _ignore(*_: object) -> None:
    """Ignores all events."""


def export(
    record: Record,
    to: PluginSpec,
    folder: Path,
    plugins: Plugins,
    cache: Cache,
    expected: Mapping[str, NDArray[Any]] | None = None,
    on_progress: Report = _ignore,
) -> ExportReport:
    """Writes the student of `record` into `folder`, whole or not at all, and evaluates the written model.

    `to` is an exporter with its options. `expected` holds the record's stored arrays (`read_arrays`); by default the exported
    model is compared with the student evaluated on this machine's CPU. Raises KdbenchError if the folder is not empty, the
    weights are not in the cache, the dataset has changed since the run, the exporter cannot write this student, or the
    written model differs from the student.
    """
    with new_folder(folder) as partial, building_with(plugins):
        _check_task(to, record, plugins)
        exporter: Exporter = build_spec("exporter", to)
        task = task_of(record.spec.task, plugins)
        student = trained_student(record, plugins, cache)
        exporter.check(student, record.spec.student.name)
        context = _context(record, student, task, partial, cache, on_progress)
        exported = exporter.export(student, context)
        if not exported.models:
            raise KdbenchError(f"the exporter {to.use!r} returned no model; expected the written student first")
        report = _evaluated(exported, context, expected or evaluated(task, student, context.encoded, context.batch_size, "cpu"))
        if exported.metadata is not None:
            write_metadata(record, partial, exported, report.measured)
        if exported.card is not None:
            offer = plugins.find("task", record.spec.task.use).offer
            write_card(record, partial, exported, task, offer, report.metrics)
        files = sizes(partial)
    return replace(report, folder=folder, files=files)


def _evaluated(exported: Exported, context: ExportContext, expected: Mapping[str, NDArray[Any]]) -> ExportReport:
    """Evaluates the models and compares the first with the student. Raises KdbenchError if they differ."""
    task, (first, *lossy) = context.task, exported.models
    check_difference(first, context)
    arrays = arrays_of(first, context)
    return ExportReport(
        folder=context.folder,
        files={},
        difference=first.difference,
        agreement=agreement(arrays, expected),
        headline=task.headline,
        metrics=task.measure(arrays),
        variants={model.name: task.measure(arrays_of(model, context)) for model in lossy},
        latency={name: ms for model in exported.models for name, ms in model.latency.items()},
    )


def _check_task(to: PluginSpec, record: Record, plugins: Plugins) -> None:
    its, task = plugins.find("exporter", to.use).offer.task, record.spec.task.use
    if its not in ("", task):
        raise KdbenchError(f"the exporter {to.use!r} writes students of the task {its!r}; run {record.run_id} is of {task!r}")


def _context(record: Record, student: Any, task: Task, folder: Path, cache: Cache, on_progress: Report) -> ExportContext:
    """Raises KdbenchError if the dataset has changed since the run."""
    data = data_of(record, task, cache, "cpu", on_progress)
    return ExportContext(
        folder=folder,
        name=record.spec.student.name,
        run_id=record.run_id,
        label=record.label,
        task=task,
        data=data,
        encoded=task.encode(data, student, "test"),
        batch_size=record.spec.evaluate.batch_size,
    )
