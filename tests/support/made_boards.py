"""Boards by hand: what a test says of a row, a table or a profile, and something plain for the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from kdbench.records.profile import Profile, Timing, Tower
from kdbench.records.record import Record
from kdbench.reports.board import Measured, Row, Table, Value
from kdbench.tasks.retrieval.ranks import Ranks

DATASET: dict[str, Any] = {"use": "shapes", "params": {"colours": 3}}


def student(name: str = "pebble", **params: Any) -> dict[str, Any]:
    return {"name": name, "use": "pebble", "params": params}


def row(
    strategy: str = "equal",
    mean: float = 100.0,
    *,
    half: float = 5.0,
    team: Sequence[str] = ("a", "b"),
    of: Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] = DATASET,
    reference: bool = False,
    seeds: Sequence[float] | None = None,
    series: Sequence[dict[str, Any]] = (),
    group: int = 1,
    variant: str = "",
) -> Row:
    """`seeds` are the RSUMs of the runs, `series` those of the first of them."""
    spec = {
        "dataset": {"name": "shapes", **dataset},
        "student": dict(of or student()),
        "team": [{"name": name, "use": "lens", "params": {}} for name in team],
        "strategy": {"name": strategy, "use": "equal", "params": {}} if strategy else None,
        "evaluate": {"recall_at": [1, 5, 10]},
        "variant": variant,
        **({"role": "reference"} if reference else {}),
    }
    cell = hashlib.sha256(repr((spec, mean)).encode()).hexdigest()[:12]
    runs = tuple(_run(spec, cell, seed, rsum) for seed, rsum in enumerate(seeds or (mean - 1, mean + 1)))
    runs = tuple(
        Measured(run.record, run.ranks, lambda columns=columns: columns)  # type: ignore[misc]
        for run, columns in zip(runs, [*series, *({} for _ in range(len(runs) - len(series)))], strict=True)
    )
    return Row(runs, {"rsum": Value(mean, mean - half, mean + half)}, group=group)


def _run(spec: dict[str, Any], cell: str, seed: int, rsum: float) -> Measured:
    record = Record(
        run_id=f"{cell[:11]}{seed}",
        cell_id=cell,
        label="a run",
        status="ok",
        spec={**spec, "seed": seed},
        metrics={"rsum": float(rsum)},
        versions={},
        commit=None,
        dirty=None,
        host={},
        device="cpu",
        threads=1,
        started="",
        finished="",
    )
    return Measured(record, partial(Ranks, text=np.ones(1, np.int32), image=np.ones(1, np.int32)))


def table(*rows: Row, better: Sequence[tuple[int, int]] = (), **changes: Any) -> Table:
    """`better` are pairs of rows of which the first is surely better."""
    separated = np.zeros((len(rows), len(rows)), dtype=bool)
    for one, other in better:
        separated[one, other] = True
    fields: dict[str, Any] = {
        "dataset": "shapes",
        "digest": "d" * 64,
        "sizes": {"images": 10, "captions": 10, "concepts": 10},
        "recall_at": [1, 5, 10],
        "student": rows[0].student if rows else "",
        "budget": "2 epochs, 10 steps of 8 pairs",
        "tuning": "untuned",
        "rows": list(rows),
        "references": [],
        "better": separated,
        "missing": [],
        "verdict": "",
        "notes": [],
    }
    return Table(**fields | changes)


def profile(of: Mapping[str, Any], image: Mapping[int, float], text: Mapping[int, float], **changes: Any) -> Profile:
    """`image` and `text` are the towers' median milliseconds by batch size."""
    fields: dict[str, Any] = {
        "id": hashlib.sha256(repr((of, image, text, changes)).encode()).hexdigest()[:12],
        "student": {"use": of["use"], "params": of["params"]},
        "dataset": {"name": "shapes", **DATASET},
        "image": _tower(image),
        "text": _tower(text),
        "parameters": 2_000_000,
        "size_bytes": 1,
        "gallery": 10,
        "search": Timing(median_ms=1.0, iqr_ms=0.1, blocks=9),
        "unstable": False,
        "device": "cpu",
        "threads": 1,
        "host": {"id": "0a1b2c3d", "cpu": "abacus"},
        "versions": {"torch": "2.6.0"},
        "commit": None,
        "dirty": None,
        "measured": "2025-01-01T00:00:00Z",
    }
    return Profile(**fields | changes)


def _tower(latency: Mapping[int, float]) -> Tower:
    timings = {batch: Timing(median_ms=median, iqr_ms=0.1, blocks=9) for batch, median in latency.items()}
    return Tower(parameters=1_000_000, flops=1, latency=timings)
