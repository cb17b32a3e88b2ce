"""What a leaderboard is made of, as plain values: tables of rows that may be compared, with what separates them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.records.record import Record
from kdbench.tasks.retrieval.ranks import Ranks


@dataclass(frozen=True)
class Measured:
    """One finished run: its record and, read when asked for, the ranks of its test split and its series.

    `ranks` raises RecordError where they are damaged or do not give the record's metrics; `series` (see
    `kdbench.training.trace`) gives {} where there is none.
    """

    record: Record
    ranks: Callable[[], Ranks]
    series: Callable[[], dict[str, Any]] = dict

    @property
    def recall_at(self) -> list[int]:
        """The K of R@K."""
        return list(self.record.spec["evaluate"]["recall_at"])


@dataclass(frozen=True)
class Value:
    """A mean over seeds and the 95 % interval that seeds and test images leave, in percent."""

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the interval's width: it is symmetric."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Cost:
    """Means over a row's runs; None where its records do not tell.

    `teacher_seconds` is the share of one run: what the encodings and trainings of its teachers took, divided by the runs on
    this board that used them. `strategy_share` is the part of a training step, 0 to 1, spent in the strategy. `peak_mb` is
    the most memory (10⁶ bytes) that a run's process, or the GPU, held.
    """

    train_seconds: float | None = None
    teacher_seconds: float | None = None
    strategy_share: float | None = None
    peak_mb: float | None = None


@dataclass(frozen=True)
class Row:
    """One cell of a suite's grid over its seeds, `runs` in their order.

    `first` to `last` are the ranks the row may have, and `group` its tie group, from 1. A reference, which is not trained, has
    0 in all three. `bold` says that the row and those it ties with are surely better than all of the next group.
    """

    runs: tuple[Measured, ...]
    values: dict[str, Value]  # metric → value
    first: int = 0
    last: int = 0
    group: int = 0
    bold: bool = False
    weights: dict[str, float] = field(default_factory=dict)  # mean by teacher
    reconstructions: tuple[str, ...] = ()  # labels of its parts whose sources leave something open
    cost: Cost = field(default_factory=Cost)

    @property
    def spec(self) -> dict[str, Any]:
        """That of any of its runs: they differ in their seeds alone."""
        return self.runs[0].record.spec

    @property
    def id(self) -> str:
        """12 hexadecimal digits, the same for all seeds."""
        return self.runs[0].record.cell_id

    @property
    def reference(self) -> bool:
        """Whether it is a teacher as it is, ranked without training."""
        return bool(self.spec.get("role") == "reference")

    @property
    def variant(self) -> str:
        return str(self.spec.get("variant", ""))

    @property
    def student(self) -> str:
        """Of a reference, the teacher."""
        return str(self.spec["student"]["name"])

    @property
    def team(self) -> tuple[str, ...]:
        """Names of its teachers."""
        return tuple(str(teacher["name"]) for teacher in self.spec["team"])

    @property
    def strategy(self) -> str:
        """Its label in the suite; empty where fewer than two teachers need none."""
        return str(self.spec["strategy"]["name"]) if self.spec["strategy"] else ""

    @property
    def teachers(self) -> str:
        """For a person."""
        return "as it is" if self.reference else " + ".join(self.team) or "none"

    @property
    def name(self) -> str:
        """How a person tells the row from others of its table: `ammkd of lite0 + lite2`, `lite0 alone`, `no teacher`."""
        if self.reference:
            return f"{self.student} as it is"
        voices = (
            f"{self.strategy} of {self.teachers}" if self.strategy else f"{self.teachers} alone" if self.team else "no teacher"
        )
        return f"{self.variant}: {voices}" if self.variant else voices

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(int(run.record.spec["seed"]) for run in self.runs)

    @property
    def by_seed(self) -> dict[int, float]:
        """RSUM of each seed."""
        return {int(run.record.spec["seed"]): run.record.metrics["rsum"] for run in self.runs}


@dataclass(frozen=True)
class Table:
    """Rows that may be compared, best RSUM first: one dataset by content, one protocol, one student, one budget of samples
    and of tuning. `references` are ranked on the same split and are no contestants.

    `better` [R, R] says whether row i is surely better than row j, corrected for all pairs.
    """

    dataset: str
    digest: str
    sizes: dict[str, int]  # images, captions, concepts
    recall_at: list[int]
    student: str
    budget: str  # `60 epochs, 540 steps of 256 pairs`
    tuning: str  # `untuned`, or `12 trials on validation`
    rows: list[Row]
    references: list[Row]
    better: NDArray[np.bool_]
    missing: list[str]  # baselines that a complete table has
    verdict: str  # one sentence: which strategy to use
    notes: list[str]
    smoke: bool = False

    @property
    def title(self) -> str:
        trial = "SMOKE, not publishable: " if self.smoke else ""
        return f"{trial}{self.dataset} test · {self.student} · {self.budget}, {self.tuning}"

    @property
    def split(self) -> str:
        """What was ranked, in words."""
        counts = ", ".join(f"{self.sizes[what]:,} {what}" for what in ("images", "captions", "concepts"))
        return f"{counts}; digest {self.digest[:8]}"

    @cached_property
    def id(self) -> str:
        """12 hexadecimal digits, from what makes its rows comparable."""
        parts = [self.digest, self.recall_at, self.rows[0].spec["student"] if self.rows else None, self.budget, self.tuning]
        return hashlib.sha256(json.dumps([*parts, self.smoke], sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Board:
    """All tables, a line for each run that has no figures, and why tables are several."""

    tables: list[Table]
    notes: list[str]
