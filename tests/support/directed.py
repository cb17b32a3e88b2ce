"""A task with one stored figure for each test unit, better upwards or downwards, and finished runs of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Metric, Task
from kdbench.records.measured import Measured
from kdbench.records.record import Record
from kdbench.records.trace import Trace
from kdbench.suite.spec import RunSpec
from tests.support.toys import plugged

SCORE = Metric("score", "score", "K", higher_is_better=True, headline=True, decimals=2)
ERROR = Metric("error", "error", "K", higher_is_better=False, headline=True, decimals=2)


class Directed(Task):
    """Only what statistics and reports ask of a task."""

    name: ClassVar[str] = "directed"

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    @property
    def metrics(self) -> Sequence[Metric]:
        return (self._metric,)

    def _not_asked(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError("statistics have asked for more than metrics and arrays")

    open = encode = teach = feed = forward = outputs = losses = evaluate = _not_asked


def runs_of(name: str, values: NDArray[np.float64], metric: Metric, *, reference: bool = False) -> list[Measured]:
    """The runs of one row from its values [S, U]; a reference takes the first of them."""
    task = Directed(metric)
    found = []
    for seed, one in enumerate(values[:1] if reference else values):
        spec = RunSpec(
            suite="made",
            task=plugged("directed"),
            dataset=plugged("vectors"),
            student=plugged("line", name if reference else "line"),
            team=() if reference else tuple(plugged("lens", teacher) for teacher in "ab"),
            strategy=None if reference else plugged(name),
            train=None if reference else {"epochs": 2, "batch_size": 8},  # type: ignore[arg-type]
            evaluate={},  # type: ignore[arg-type]
            seed=seed,
            role="reference" if reference else "",
        )
        record = Record(
            run_id=spec.run_id,
            cell_id=spec.cell_id,
            label=spec.label,
            status="ok",
            spec=spec,
            metrics={metric.name: float(one.mean())},
            steps=None if reference else 10,
            sizes={"samples": len(one)},
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
        found.append(Measured(record, task, lambda one=one: {metric.name: one}, Trace))  # type: ignore[misc]
    return found
