"""The gallery of runs: their students, with the teachers beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kdbench.deploy.gallery.models import look, teacher_itself, teacher_name, teachers_of
from kdbench.errors import CacheError, Diverged, KdbenchError
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_record
from kdbench.records.measured import Measured
from kdbench.records.reading import Reading, read_measured
from kdbench.reports.gallery.cards import Model
from kdbench.reports.gallery.of_runs import runs_page
from kdbench.reports.gallery.page import Page
from kdbench.storage.cache import Cache


def gallery_page(paths: Sequence[Path], most: int, plugins: Plugins, cache: Cache) -> Page:
    """The page of the records at `paths`, `most` queries a section.

    Teachers are those of the runs that have records beside them. Raises KdbenchError if a record cannot be used, or if runs
    were evaluated on different test splits.
    """
    reading = read_measured(list(dict.fromkeys(path.parent for path in paths)), plugins)
    runs = list({run.record.run_id: run for run in (_run(path, reading) for path in paths)}.values())
    first = runs[0]
    for other in runs[1:]:
        if (other.record.split_digest, other.protocol.evaluation) != (first.record.split_digest, first.protocol.evaluation):
            labels = f"{first.record.label} and {other.record.label}"
            raise KdbenchError(f"{labels} were evaluated on different test splits or by different tasks; show one at a time")
    names = [run.record.label for run in runs]
    if len(runs) == 1:
        names = ["teacher" if first.record.spec.reference else "student"]
    teachers = teachers_of(runs, reading.runs)
    units = reading.units.get(first.record.split_digest)
    looked = look({**dict(zip(names, runs, strict=True)), **teachers}, units, plugins, cache)
    notes = list(looked.notes)
    beside = [looked.models[name] for name in teachers]
    if any(looked.models[name].top for name in names):
        more, missing = _unrecorded(runs, teachers, plugins, cache)
        beside, notes = beside + more, notes + missing
    return runs_page(
        " and ".join(run.record.label for run in runs),
        first.task.queries,
        looked.shown,
        [looked.models[name] for name in names],
        beside,
        most,
        lead=_figures(first) if len(runs) == 1 else "",
        facts=[] if len(runs) == 1 else [f"{run.record.label}: {_figures(run)}" for run in runs],
        notes=notes,
        licence=first.record.licence or "",
    )


def _unrecorded(
    runs: Sequence[Measured], recorded: Mapping[str, Measured], plugins: Plugins, cache: Cache
) -> tuple[list[Model], list[str]]:
    """Teachers of `runs` that have no record of their own: those that need no training, evaluated here, and notes on all."""
    models: list[Model] = []
    notes = []
    lacking = {teacher.name: (run, teacher) for run in runs for teacher in run.record.spec.team}
    for label, (run, teacher) in lacking.items():
        if (name := teacher_name(label)) in recorded:
            continue
        try:
            models.append(teacher_itself(run.record, teacher, name, plugins, cache))
        except CacheError:
            notes.append(f"{name}: not shown beside the student, as the cache does not hold what it was trained to")
        except (KdbenchError, Diverged) as error:
            notes.append(f"{name}: not shown beside the student: {error}")
    if models:
        named = ", ".join(model.name for model in models)
        notes.append(f"evaluated for this page, as the suite does not (`references:`): {named}")
    return models, notes


def _run(path: Path, reading: Reading) -> Measured:
    record = read_record(path)
    found = next((run for run in reading.runs if run.record.run_id == record.run_id), None)
    if found is None:
        reasons = [problem.line for problem in reading.problems if path.stem in problem.line]
        reason = reasons[0] if reasons else f"its status is {record.status!r}; expected 'ok'"
        raise KdbenchError(f"run {record.run_id} ({record.label}) cannot be shown: {reason}")
    return found


def _figures(run: Measured) -> str:
    """Its shown metrics in one line."""
    metrics = [metric for metric in run.task.metrics if metric.shown and metric.name in run.record.metrics]
    return ", ".join(f"{one.head} {one.text(one.scale * run.record.metrics[one.name])}" for one in metrics)
