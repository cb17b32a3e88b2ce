"""Groups records into tables of comparable rows and aggregates each row over its seeds."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from kdbench.records import Record


@dataclass(frozen=True)
class Value:
    """Mean and sample standard deviation over seeds; None with one seed."""

    mean: float
    std: float | None


@dataclass(frozen=True)
class Row:
    """One cell of a suite's grid, over its seeds. Metrics of recall are in percent."""

    variant: str
    student: str
    teachers: str
    strategy: str
    reconstructions: list[str]  # labels of parts whose sources leave something open
    seeds: int
    values: dict[str, Value]  # metric → value
    weights: dict[str, float]  # mean weight by teacher
    train_seconds: float


@dataclass(frozen=True)
class Table:
    """Rows that may be compared: one dataset, by content, one protocol and one sample budget."""

    dataset: str
    digest: str
    sizes: dict[str, int]
    recall_at: list[int]
    budget: str
    rows: list[Row]

    @property
    def title(self) -> str:
        size = f"{self.sizes['images']:,} images, {self.sizes['captions']:,} captions, {self.sizes['concepts']:,} concepts"
        return f"{self.dataset} test ({size}; digest {self.digest[:8]}) · {self.budget}"


@dataclass(frozen=True)
class Board:
    """All tables, and a line for each run that has no figures."""

    tables: list[Table]
    notes: list[str]


def build(records: Iterable[Record], smoke: bool = False) -> Board:
    """Best RSUM first. Rows join a table only where dataset digest, protocol and sample budget agree.

    References, ranked without training, join every table of their dataset and protocol. Smoke runs are left out unless
    asked for.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    references: dict[str, list[Record]] = defaultdict(list)
    notes: list[str] = []
    trials = 0
    seen: set[str] = set()
    for record in records:
        if record.run_id in seen:
            notes.append(f"{record.label}: left out, its run {record.run_id} is there already")
            continue
        seen.add(record.run_id)
        if record.spec.get("smoke") and not smoke:
            trials += 1
        elif record.status != "ok":
            notes.append(f"{record.label}: {record.status}: {record.reason}")
        elif record.spec.get("role") == "reference":
            references[_protocol(record)].append(record)
        else:
            groups[_comparable(record)].append(record)
    if trials:
        notes.append(f"{trials} rows of smoke runs left out: they show that things work, not how well")
    for protocol, alone in references.items():
        if not any(_protocol(group[0]) == protocol for group in groups.values()):
            groups[protocol] = list(alone)
    tables = [_table(group, references[_protocol(group[0])]) for _, group in sorted(groups.items())]
    if len(tables) > 1:
        notes.append(f"{len(tables)} tables, because rows with another dataset, protocol or sample budget do not compare")
    return Board(tables, notes)


def _protocol(record: Record) -> str:
    return json.dumps([record.spec["dataset"]["name"], record.dataset_digest, record.spec["evaluate"]["recall_at"]])


def _comparable(record: Record) -> str:
    train = record.spec["train"]
    return _protocol(record) + json.dumps([train["epochs"], train["batch_size"], record.steps])


def _table(records: list[Record], references: list[Record]) -> Table:
    cells: dict[str, list[Record]] = defaultdict(list)
    for record in {record.run_id: record for record in [*records, *references]}.values():
        cells[record.cell_id].append(record)
    first = records[0]
    train = first.spec["train"]
    trained = f"{train['epochs']} epochs, {first.steps} steps of {train['batch_size']} pairs" if train else "no training"
    trial = "SMOKE, not publishable: " if first.spec.get("smoke") else ""
    return Table(
        dataset=first.spec["dataset"]["name"],
        digest=first.dataset_digest or "",
        sizes=first.sizes,
        recall_at=first.spec["evaluate"]["recall_at"],
        budget=trial + trained,
        rows=sorted((_row(cell) for cell in cells.values()), key=lambda row: -row.values["rsum"].mean),
    )


def _row(records: list[Record]) -> Row:
    spec = records[0].spec
    return Row(
        variant=spec.get("variant", ""),
        student=spec["student"]["name"],
        teachers="as it is" if spec.get("role") == "reference" else " + ".join(t["name"] for t in spec["team"]) or "none",
        strategy=spec["strategy"]["name"] if spec["strategy"] else "–",
        reconstructions=sorted({label for record in records for label in record.reconstructions}),
        seeds=len(records),
        values={name: _value([_percent(name, r.metrics[name]) for r in records]) for name in records[0].metrics},
        weights=_mean_weights(records),
        train_seconds=statistics.fmean(record.timings["train"] for record in records),
    )


def _mean_weights(records: list[Record]) -> dict[str, float]:
    return {name: statistics.fmean(r.weights[name] for r in records) for name in records[0].weights}


def _percent(name: str, value: float) -> float:
    return 100 * value if "recall@" in name else value


def _value(values: list[float]) -> Value:
    std = statistics.stdev(values) if len(values) > 1 else None
    return Value(math.fsum(values) / len(values), std)
