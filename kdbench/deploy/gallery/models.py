"""Runs as models of a gallery: the figures of their records, and, where weights are kept, what they put on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from kdbench.contracts.shown import Shown
from kdbench.deploy.data_of_record import data_of
from kdbench.deploy.export.load import weights_kept
from kdbench.deploy.gallery.opened import Units, opened, read
from kdbench.deploy.gallery.outputs import KIND, identity, outputs_of
from kdbench.errors import CacheError, KdbenchError
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.measured import Measured
from kdbench.records.provenance import resolved_device
from kdbench.records.record import Record
from kdbench.records.tasks import task_of
from kdbench.reports.gallery.cards import Looked, Model
from kdbench.storage.cache import Cache, FilledCache
from kdbench.suite.spec import PluginSpec

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays


def look(runs: Mapping[str, Measured], units: Units | None, plugins: Plugins, cache: Cache, device: str = "auto") -> Looked:
    """Some runs of one test split as models, by name; `units` are those of its queries.

    Outputs are computed of students whose weights the cache holds, and of teachers that need no training, or whose training it
    holds. Otherwise a model has the figures of its record alone, and a note says so.
    """
    if not runs:
        return Looked(None, {})
    records = {name: run.record for name, run in runs.items()}
    kept = [record for record in records.values() if is_kept(record, cache)]
    first = next(iter(records.values()))
    notes = []
    shown: Shown | None = None
    try:
        device = resolved_device(device) if kept else "cpu"
        shown = opened(kept[0], plugins, cache, device) if kept else read(first, units, plugins)
    except KdbenchError as error:
        notes.append(f"texts and pictures are not shown: {error}")
    outputs: dict[str, Arrays] = {}
    if shown is not None and kept:
        for name, record in records.items():
            try:
                outputs[name] = _outputs(record, shown, plugins, cache, device)
            except CacheError:
                notes.append(f"{name}: its outputs are not shown, as the cache does not hold what it was trained to")
            except KdbenchError as error:
                notes.append(f"{name}: its outputs are not shown: {error}")
    elif shown is not None:
        notes.append(_nothing_kept(records))
    models = {name: Model(name, run.arrays()) for name, run in runs.items()}
    if shown is not None:
        models |= {name: Model(name, models[name].values, partial(shown.top, own), own) for name, own in outputs.items()}
    return Looked(shown, models, notes)


def is_kept(record: Record, cache: Cache) -> bool:
    """Whether the cache holds the weights of a run, or what its model puts out."""
    return weights_kept(record, cache) or cache.holds(KIND, identity(record))


def _outputs(record: Record, shown: Shown, plugins: Plugins, cache: Cache, device: str) -> Arrays:
    if record.spec.reference and not cache.holds(KIND, identity(record)):
        shown = opened(record, plugins, without_training(cache), device)
    return outputs_of(record, shown, plugins, cache, device)


def teacher_itself(
    record: Record, teacher: PluginSpec, name: str, plugins: Plugins, cache: Cache, device: str = "auto"
) -> Model:
    """A teacher of a run as a model, evaluated here on the run's test split. Raises KdbenchError if it would have to train."""
    task, device = task_of(record.spec.task, plugins), resolved_device(device)
    with building_with(plugins):
        data = data_of(record, task, without_training(cache), device, _ignore)
        built = build_spec("teacher", teacher)
        shown = task.show(data)
        if shown is None:
            raise KdbenchError(f"the task {record.spec.task.use!r} has nothing to show")
        outputs = shown.outputs(built, record.spec.evaluate.batch_size, device)
        return Model(name, task.evaluate_teacher(built, data, "test"), partial(shown.top, outputs), outputs)


def without_training(cache: Cache) -> FilledCache:
    """The same cache, in which outputs are computed, but nothing is trained or decoded."""
    return FilledCache(cache.root, ["datasets", "teachers", "students"])


def _nothing_kept(records: Mapping[str, Record]) -> str:
    suites = sorted({record.spec.suite for record in records.values()})
    runs = ", ".join(f"`kdbench run {suite}`" for suite in suites)
    return (
        f"outputs of models are not shown: the cache holds no weights of these runs. Weights stay in the cache that the "
        f"runs were trained with: pass that folder as --cache, or train here: {runs}"
    )


def teachers_of(runs: Sequence[Measured], among: Sequence[Measured]) -> dict[str, Measured]:
    """The teachers of `runs` that were evaluated themselves on the same test split, by name, in the order of the teams."""
    wanted = dict.fromkeys(name for run in runs for name in run.record.spec.teachers)
    split = runs[0].record.split_digest, runs[0].protocol.evaluation
    found = {
        run.record.spec.student.name: run
        for run in among
        if run.record.spec.reference
        and run.record.spec.trained_on is None
        and (run.record.split_digest, run.protocol.evaluation) == split
    }
    return {teacher_name(name): found[name] for name in wanted if name in found}


def teacher_name(label: str) -> str:
    """What a teacher is called beside a student."""
    return f"{label} (teacher)"


def _ignore(*_: object) -> None:
    """Ignores all events."""
