"""Rows with retrieval ranks drawn at random, for the tests of statistics and leaderboards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.records.files import write_arrays, write_record
from kdbench.records.measured import Measured
from kdbench.records.names import record_path
from kdbench.records.record import Record
from kdbench.records.tasks import task_of
from kdbench.records.trace import Trace
from kdbench.suite.spec import RunSpec
from tests.support.toys import plugged, retrieval_spec

IMAGES, CAPTIONS = 40, 80  # two captions an image, in its order
SIZES = {"images": IMAGES, "captions": CAPTIONS}
DIGEST = "e" * 64
HEADLINE = "rsum"


def run(name: str, seed: int, text: Any, image: Any, *, concepts: int | None = None, **changes: Any) -> Measured:
    """A finished run of strategy `name` with these ranks [N] and [M]; `spec` changes its spec, the rest its record."""
    reference = changes.pop("role", "") == "reference"
    team = changes.pop("team", ("a", "b"))
    laid_out: dict[str, Any] = {
        "suite": "tiny",
        "task": retrieval_spec(1, 5, 10),
        "dataset": plugged("beads"),
        "student": plugged("toy", name if reference else "toy"),
        "team": () if reference else tuple(plugged("lens", one) for one in team),
        "strategy": None if reference or len(team) < 2 else plugged(name),
        "train": None if reference else {"epochs": 2, "batch_size": 8},
        "evaluate": {},
        "seed": seed,
        "role": "reference" if reference else "",
    }
    spec = RunSpec(**laid_out | changes.pop("spec", {}))
    return finished(spec, text, image, sizes={"concepts": concepts or len(text)}, **changes)


def finished(spec: RunSpec, text: Any, image: Any, **changes: Any) -> Measured:
    """A run that is done: its record holds together with these ranks."""
    arrays: dict[str, NDArray[Any]] = {"text": np.asarray(text, dtype=np.int32), "image": np.asarray(image, dtype=np.int32)}
    task = task_of(spec.task)
    metrics = task.measure(arrays)
    sizes = {"images": len(text), "captions": len(image), "concepts": len(text)} | changes.pop("sizes", {})
    fields: dict[str, Any] = {
        "run_id": spec.run_id,
        "cell_id": spec.cell_id,
        "label": spec.label,
        "status": "ok",
        "spec": spec,
        "metrics": metrics,
        "validation": {} if spec.reference else metrics,
        "best_epoch": None if spec.reference else 1,
        "weights": {teacher: 1 / len(spec.team) for teacher in spec.teachers},
        "steps": None if spec.reference else 10,
        "sizes": sizes,
        "dataset_digest": DIGEST,
        "versions": {},
        "commit": None,
        "dirty": None,
        "host": {},
        "device": "cpu",
        "threads": 1,
        "started": "2025-01-01T00:00:00Z",
        "finished": "2025-01-01T00:00:10Z",
    }
    return Measured(Record(**fields | changes), task, lambda: arrays, Trace)


def row(name: str, level: float = 3.0, seeds: Sequence[int] = (0, 1, 2), *, draw: int = 0, **changes: Any) -> list[Measured]:
    """The runs of one row: logarithms of ranks about `level`, the same queries hard for every row."""
    hard = np.random.default_rng(99).normal(size=IMAGES + CAPTIONS)
    runs = []
    for seed in seeds:
        noise = np.random.default_rng((draw, seed)).normal(size=IMAGES + CAPTIONS)
        ranks = 1 + np.floor(np.exp(level + hard + noise)).astype(int)
        text, image = np.minimum(ranks[:IMAGES], CAPTIONS), np.minimum(ranks[IMAGES:], IMAGES)
        runs.append(run(name, seed, text, image, **changes))
    return runs


def units_of(images: NDArray[np.int64], captions: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """As `Task.units` gives them."""
    return {"images": images, "captions": captions}


def changed(one: Measured, **changes: Any) -> Measured:
    """The run with other fields of its record."""
    return replace(one, record=one.record.replace(**changes))


def broken(one: Measured, message: str = "cut short") -> Measured:
    """The run with arrays that cannot be read."""

    def arrays() -> dict[str, NDArray[Any]]:
        raise RecordError(message)

    return replace(one, arrays=arrays)


def write(results: Path, one: Measured) -> Path:
    """Record and arrays as a run leaves them."""
    path = record_path(results, one.record.spec.suite, one.record.run_id)
    sha256 = write_arrays(path, one.arrays())
    return write_record(results, one.record.replace(arrays_sha256=sha256))
