"""Rows with ranks drawn at random, for the tests of leaderboards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.records.record import Record, record_path, write_ranks, write_record
from kdbench.statistics import Measured
from kdbench.suite.plan import RunSpec
from kdbench.tasks.retrieval.ranks import Ranks

IMAGES, CAPTIONS = 40, 80  # two captions an image, in its order
DIGEST = "e" * 64


def run(name: str, seed: int, text: Any, image: Any, *, concepts: int | None = None, **changes: Any) -> Measured:
    """A finished run of strategy `name` with these ranks [N] and [M]; other fields of its record may be given."""
    reference = changes.pop("role", "") == "reference"
    team = changes.pop("team", ("a", "b"))
    laid_out: dict[str, Any] = {
        "suite": "tiny",
        "dataset": {"name": "beads", "use": "beads", "params": {}},
        "student": {"name": name if reference else "toy", "use": "toy", "params": {}},
        "team": [] if reference else [{"name": one, "use": "lens", "params": {}} for one in team],
        "strategy": None if reference or len(team) < 2 else {"name": name, "use": name, "params": {}},
        "objective": [],
        "train": {} if reference else {"epochs": 2, "batch_size": 8},
        "evaluate": {"recall_at": [1, 5, 10], "every": 1},
        "seed": seed,
        "role": "reference" if reference else "",
    }
    spec = RunSpec(**laid_out | changes.pop("spec", {}))
    return finished(spec, text, image, sizes={"concepts": concepts or len(text)}, **changes)


def finished(spec: RunSpec, text: Any, image: Any, **changes: Any) -> Measured:
    """A run that is done: its record holds together with these ranks."""
    reference = spec.role == "reference"
    ranks = Ranks(np.asarray(text, dtype=np.int32), np.asarray(image, dtype=np.int32))
    metrics = ranks.metrics(spec.evaluate["recall_at"])
    sizes = {"images": len(text), "captions": len(image), "concepts": len(text)} | changes.pop("sizes", {})
    fields: dict[str, Any] = {
        "run_id": spec.run_id,
        "cell_id": spec.cell_id,
        "label": spec.label,
        "status": "ok",
        "spec": spec.as_dict(),
        "metrics": metrics,
        "validation": {} if reference else metrics,
        "best_epoch": None if reference else 1,
        "weights": {teacher["name"]: 1 / len(spec.team) for teacher in spec.team},
        "steps": None if reference else 10,
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
    return Measured(Record(**fields | changes), lambda: ranks)


def row(name: str, level: float = 3.0, seeds: Sequence[int] = (0, 1, 2), *, draw: int = 0, **changes: Any) -> list[Measured]:
    """The runs of one row: logarithms of ranks about `level`, the same queries hard for everyone."""
    hard = np.random.default_rng(99).normal(size=IMAGES + CAPTIONS)
    runs = []
    for seed in seeds:
        noise = np.random.default_rng((draw, seed)).normal(size=IMAGES + CAPTIONS)
        ranks = 1 + np.floor(np.exp(level + hard + noise)).astype(int)
        text, image = np.minimum(ranks[:IMAGES], CAPTIONS), np.minimum(ranks[IMAGES:], IMAGES)
        runs.append(run(name, seed, text, image, **changes))
    return runs


def write(results: Path, one: Measured) -> Path:
    """Record and ranks as a run leaves them."""
    path = record_path(results, one.record.spec["suite"], one.record.run_id)
    sha256 = write_ranks(path, one.ranks())
    return write_record(results, one.record.model_copy(update={"ranks_sha256": sha256}))
