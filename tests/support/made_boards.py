"""Boards by hand: what a test says of a row, a table or a profile, and something plain for the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdbench.contracts import Metric
from kdbench.records.measured import Measured
from kdbench.records.profile import PartProfile, Profile, Timing
from kdbench.records.record import Record
from kdbench.records.trace import Trace
from kdbench.reports.board import Row, Table
from kdbench.statistics.value import Value
from kdbench.suite.settings import Evaluate, Train
from kdbench.suite.spec import PluginSpec, RunSpec
from kdbench.tasks.retrieval.task import Retrieval

DATASET = PluginSpec(name="shapes", use="shapes", params={"colours": 3})
SCORE = Metric("score", "score", "points", headline=True, best=200.0, worst=0.0)  # of the rows that do not name another
ERROR = Metric("rmse", "RMSE", "K", higher_is_better=False, headline=True, best=0.0, decimals=2)


class Scored(Retrieval):
    """A task with metrics of its own."""

    def __init__(self, *metrics: Metric) -> None:
        super().__init__()
        self._metrics = metrics


def student(name: str = "pebble", **params: Any) -> PluginSpec:
    return PluginSpec(name=name, use="pebble", params=params)


def row(
    strategy: str = "equal",
    mean: float = 100.0,
    *,
    half: float = 5.0,
    team: Sequence[str] = ("a", "b"),
    of: PluginSpec | None = None,
    dataset: PluginSpec = DATASET,
    reference: bool = False,
    seeds: Sequence[float] | None = None,
    traces: Sequence[Trace] = (),
    group: int = 1,
    variant: str = "",
    metric: Metric = SCORE,
) -> Row:
    """`seeds` are the headline of the runs, `traces` those of the first of them. Rows with other means are other cells."""
    task = Scored(metric)
    spec = RunSpec(
        suite="made",
        task=PluginSpec(name="retrieval", use="retrieval", params={}),
        dataset=dataset,
        student=of or student(),
        team=tuple(PluginSpec(name=name, use="lens", params={"mean": mean}) for name in team),
        strategy=PluginSpec(name=strategy, use="equal", params={"mean": mean}) if strategy else None,
        train=None if reference else Train(epochs=2, batch_size=8),
        evaluate=Evaluate(),
        seed=0,
        variant=variant,
        role="reference" if reference else "",
    )
    found = list(seeds or (mean - 1, mean + 1))
    known = [*traces, *(Trace() for _ in range(len(found) - len(traces)))]
    runs = tuple(
        Measured(_record(spec.replace(seed=seed), metric, value), task, dict, lambda trace=trace: trace)  # type: ignore[misc]
        for seed, (value, trace) in enumerate(zip(found, known, strict=True))
    )
    return Row(runs, {metric.name: Value(mean, mean - half, mean + half)}, group=group)


def _record(spec: RunSpec, metric: Metric, value: float) -> Record:
    return Record(
        run_id=spec.run_id,
        cell_id=spec.cell_id,
        label=spec.label,
        status="ok",
        spec=spec,
        metrics={metric.name: float(value)},
        steps=None if spec.reference else 10,
        sizes={"images": 10, "captions": 10, "concepts": 10},
        dataset_digest="d" * 64,
        versions={},
        commit=None,
        dirty=None,
        host={},
        device="cpu",
        threads=1,
        started="",
        finished="",
    )


def table(*rows: Row, better: Sequence[tuple[int, int]] = (), **changes: Any) -> Table:
    """`better` are pairs of rows of which the first is significantly better."""
    separated = np.zeros((len(rows), len(rows)), dtype=bool)
    for one, other in better:
        separated[one, other] = True
    run = (rows[0] if rows else row()).runs[0]
    fields: dict[str, Any] = {
        "protocol": run.protocol,
        "metrics": tuple(run.task.metrics),
        "sizes": run.record.sizes,
        "rows": list(rows),
        "references": [],
        "better": separated,
    }
    return Table(**fields | changes)


def profile(of: PluginSpec, image: Mapping[int, float], text: Mapping[int, float], **changes: Any) -> Profile:
    """`image` and `text` are the towers' median milliseconds by batch size."""
    fields: dict[str, Any] = {
        "id": hashlib.sha256(repr((of, image, text, changes)).encode()).hexdigest()[:12],
        "student": of.plain,
        "dataset": {"name": DATASET.name, **DATASET.plain},
        "parts": {"image": _part(image), "text": _part(text)},
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


def _part(latency: Mapping[int, float]) -> PartProfile:
    timings = {batch: Timing(median_ms=median, iqr_ms=0.1, blocks=9) for batch, median in latency.items()}
    return PartProfile(parameters=1_000_000, flops=1, latency=timings)
