"""From a RunSpec to a Record: the file to read first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench.contracts.values import Owned

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays

import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from kdbench.contracts import Student, Task
from kdbench.deploy.evaluate_model import evaluate_model
from kdbench.errors import Diverged, KdbenchError, PluginError, Skip, unexpected
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.library_warnings import collected
from kdbench.records.examine_parts import using_plugin
from kdbench.records.files import is_finished, record_path, write_arrays, write_record, write_trace, write_units
from kdbench.records.names import split_digest
from kdbench.records.parts import Parts, packages, weights_identity
from kdbench.records.provenance import device_name, host, source, versions
from kdbench.records.record import DONE, Outcome, Record, Status
from kdbench.records.staged import discard, publish, staged
from kdbench.runs.began import Began
from kdbench.runs.context import RunContext
from kdbench.runs.learn import learn, teach
from kdbench.runs.trained_elsewhere import digest_of_training, trained_elsewhere
from kdbench.storage.checkpoint import save_weights
from kdbench.storage.loaded_code import check_loaded
from kdbench.storage.room import told
from kdbench.suite.settings import Views
from kdbench.suite.spec import Fold, PluginSpec, RunSpec
from kdbench.training.borders import measured
from kdbench.training.distributed import Rank
from kdbench.training.evaluation import evaluated
from kdbench.training.own_process import OwnProcess


def execute(spec: RunSpec, context: RunContext, rank: Rank | None = None, parts: Parts | None = None) -> Record:
    """Executes `spec` and writes its record, also if the run fails; only an interrupt leaves no record.

    A run on several devices starts its ranks here, unless this process is already one of them. Only the last lines of
    `outcome_of` open the test split. `parts` are the run's, if they have been examined. Where several processes may execute the
    same run, call `kdbench.runs.once.execute_once`.
    """
    from kdbench.runs.ranks import outcome_of_ranks

    own = OwnProcess()
    began = Began()
    status: Status = "ok"
    reason, outcome = "", Outcome()
    warned: list[str] = []
    trained: str | None = None
    try:
        trained = digest_of_training(spec, context)  # before it is evaluated: one trained again meanwhile is another
        parts = context.parts(spec, fresh=True) if parts is None else parts  # before anything is read
        with building_with(context.plugins), collected() as warned:
            if rank is None and spec.train is not None and spec.train.devices > 1 and not spec.transfer:
                outcome = outcome_of_ranks(spec, context, spec.train.devices)
            else:
                outcome = outcome_of(spec, context, rank or Rank())
    except Skip as error:
        status, reason = "skipped", str(error)
    except Diverged as error:
        status, reason = "diverged", str(error)
    except (Exception, SystemExit) as error:
        status, reason = "failed", reason_of(error)
    own.check()
    record = record_of(spec, context, status, reason, began, outcome, parts or {}, warned, trained)
    keep(record, context)
    if status in DONE:
        context.discard(spec.run_id)
    return record


def outcome_of(spec: RunSpec, context: RunContext, rank: Rank) -> Outcome:
    """The outcome for the record. Ranks other than the first end after the training, with an empty outcome."""
    task = context.task(spec.task)
    data = context.open(task, spec.dataset, spec.run_id, spec.fold)
    if spec.reference:
        return _outcome_of_teacher(spec, context, task, data)
    if spec.transfer:
        return Outcome() if rank.index > 0 else _outcome_of_transfer(spec, context, task, data)
    learned = learn(spec, context, task, data, spec.run_id, rank)
    check_loaded()  # what was imported during the training, too: before the test split is opened
    if rank.index > 0:
        return Outcome()
    student, trained = learned.student, learned.trained

    started = time.perf_counter()
    with using_plugin("student", spec.student, context.plugins):
        test = task.encode(data, student, "test")
    arrays = evaluated(task, student, test, spec.evaluate.batch_size, context.device)
    seconds = time.perf_counter() - started
    found = _evaluated(spec, context, task, data, arrays)
    _keep_weights(student, spec, str(found["arrays_sha256"]), context)
    return Outcome(
        **found,
        validation=trained.validation,
        best_epoch=trained.best_epoch,
        steps=trained.steps,
        weights=trained.weights,
        dynamics=trained.trace.dynamics,
        trace_sha256=write_trace(staged(record_path(context.results, spec.suite, spec.run_id)), trained.trace),
        timings={
            "teacher": round(sum(learned.encodings.values()), 3),
            "train": round(trained.seconds, 3),
            "strategy": round(trained.strategy_seconds, 3),
            "evaluate": round(seconds, 3),
        },
        encodings=learned.encodings,
        peak_mb=learned.watch.peak_mb(),
    )


def prepare(
    task: PluginSpec,
    dataset: PluginSpec,
    teacher: PluginSpec,
    context: RunContext,
    id: str,
    views: Views | None = None,
    fold: Fold | None = None,
) -> None:
    """Computes a teacher's outputs before the runs that need them, also on the `views` of their training, in a `fold`."""
    try:
        with building_with(context.plugins), collected():
            its_task = context.task(task)
            data = context.open(its_task, dataset, id, fold)
            teach(its_task, its_task.viewed(data, views) if views else data, teacher, context.plugins)
    except OSError as error:
        if reason := told(error):
            raise KdbenchError(reason) from error
        raise


def record_of(
    spec: RunSpec,
    context: RunContext,
    status: Status,
    reason: str,
    began: Began,
    outcome: Outcome,
    parts: Parts | None = None,
    warned: Sequence[str] = (),
    trained: str | None = None,
) -> Record:
    """The record of a run. `warned` are warnings of other libraries, `trained` the digest of a student trained elsewhere."""
    parts = dict(parts or {})
    return Record(
        **{name: getattr(outcome, name) for name in Outcome.model_fields},
        run_id=spec.run_id,
        cell_id=spec.cell_id,
        label=spec.label,
        status=status,
        reason=reason,
        spec=spec,
        reconstructions=context.reconstructions(spec),
        parts=parts,
        warnings=list(warned),
        student_digest=trained,
        versions=versions(packages(parts.values())),
        host=host(),
        device=device_name(context.device),
        threads=torch.get_num_threads(),
        started=began.started,
        finished=began.finished,
        **source(),
    )


def keep(record: Record, context: RunContext) -> None:
    """Writes a record, with the files of its run. A failure does not replace the record of a finished run."""
    path = record_path(context.results, record.spec.suite, record.run_id)
    if record.status in DONE:
        publish(path, record)
        return
    discard(path)
    if not is_finished(context.results, record.spec):
        write_record(context.results, record)


def _outcome_of_teacher(spec: RunSpec, context: RunContext, task: Task, data: Owned) -> Outcome:
    """The outcome of evaluating a teacher itself."""
    started = time.perf_counter()
    try:
        with using_plugin("teacher", spec.student, context.plugins):
            teacher = build_spec("teacher", spec.student)
            encodings: dict[str, float] = {}
            if spec.trained_on is None:
                arrays = task.evaluate_teacher(teacher, data, "test")
            else:
                prepared = context.open(context.task(spec.trained_on.task), spec.trained_on.dataset, spec.run_id)
                arrays = task.evaluate_teacher(teacher, data, "test", prepared)
                encodings |= prepared.encodings
    except Diverged as error:
        raise Diverged(f"{spec.student.name}: {error}") from error
    except PluginError as error:
        raise PluginError(f"teacher {spec.student.name}: {error}") from error
    found = _evaluated(spec, context, task, data, arrays)
    encodings |= data.encodings
    teacher_seconds = sum(encodings.values())
    evaluate_seconds = max(0.0, time.perf_counter() - started - teacher_seconds)
    timings = {"teacher": round(teacher_seconds, 3), "train": 0.0, "evaluate": round(evaluate_seconds, 3)}
    return Outcome(**found, timings=timings, encodings=encodings)


def _outcome_of_transfer(spec: RunSpec, context: RunContext, task: Task, data: Owned) -> Outcome:
    """The outcome of evaluating the student of another run, whose costs are those of its record."""
    trained, student = trained_elsewhere(spec, context)
    started = time.perf_counter()
    with using_plugin("student", spec.student, context.plugins):
        arrays = evaluate_model(task, data, student, "test", spec.evaluate.batch_size, context.device)
    seconds = round(time.perf_counter() - started, 3)
    return Outcome(
        **_evaluated(spec, context, task, data, arrays),
        best_epoch=trained.best_epoch,
        steps=trained.steps,
        weights=trained.weights,
        timings=trained.timings | {"evaluate": seconds},
        encodings=trained.encodings,
        peak_mb=trained.peak_mb,
    )


def _evaluated(spec: RunSpec, context: RunContext, task: Task, data: Owned, arrays: Arrays) -> dict[str, Any]:
    """Writes the arrays and units of the test split; returns the outcome for the record."""
    path = record_path(context.results, spec.suite, spec.run_id)
    metrics, sizes, units = measured(task, arrays), task.sizes(data), task.units(data)
    check_loaded()
    return {
        "metrics": metrics,
        "sizes": sizes,
        "dataset_digest": data.digest,
        "licence": data.licence,
        "arrays_sha256": write_arrays(staged(path), arrays),
        "units_sha256": write_units(path, split_digest(data.digest, spec.fold), units),
    }


def _keep_weights(student: Student, spec: RunSpec, arrays_sha256: str, context: RunContext) -> None:
    """Stores the trained student in the cache, from which it can be exported.

    The hash of the stored arrays and the run's parts are in the key: weights found for a record are those that were evaluated.
    """
    finalize = getattr(student, "finalize", None)
    module = finalize() if finalize else student.module

    def make(folder: Path) -> None:
        save_weights(folder / "weights.safetensors", cast(nn.Module, module))

    context.cache.entry("students", weights_identity(spec.run_id, arrays_sha256, context.parts(spec)), make)


def reason_of(error: BaseException) -> str:
    """Why a run failed. Prints the traceback of an error that is neither the user's nor the file system's to mend."""
    if isinstance(error, KdbenchError):
        return str(error)
    if reason := told(error):
        return reason
    traceback.print_exception(error)
    return unexpected(error)
