"""A model's outputs on the test split of its record: computed once, then kept in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kdbench.contracts.shown import Shown
from kdbench.deploy.export.load import trained_student
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.parts import weights_identity
from kdbench.records.record import Record
from kdbench.storage.cache import Cache

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays

KIND, FILE = "outputs", "outputs.npz"


def outputs_of(record: Record, shown: Shown, plugins: Plugins, cache: Cache, device: str = "cpu") -> Arrays:
    """The outputs of a run's student, or of the teacher that a reference evaluates, on `shown`, the run's test split.

    Raises KdbenchError if its weights are not in the cache. Of a teacher that trains, nothing is trained anew if `shown` was
    opened with a `FilledCache`.
    """

    def make(folder: Path) -> None:
        with building_with(plugins):
            model = _model(record, plugins, cache, device)
            outputs: dict[str, Any] = dict(shown.outputs(model, record.spec.evaluate.batch_size, device))
        np.savez(folder / FILE, **outputs)

    folder = cache.entry(KIND, identity(record), make).folder
    with np.load(folder / FILE, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _model(record: Record, plugins: Plugins, cache: Cache, device: str = "cpu") -> Any:
    """The trained student of a run, on `device`, or the teacher of a reference."""
    if record.spec.reference:
        return build_spec("teacher", record.spec.student)
    student = trained_student(record, plugins, cache)
    student.module.to(device)
    return student


def identity(record: Record) -> dict[str, Any]:
    """Identifies the outputs: those of the model that was evaluated, on the test split of its record."""
    return {"format": 1, **weights_identity(record.run_id, record.arrays_sha256 or "", record.parts)}
