"""What retrieval costs: each row as a point, recall against latency or parameters, and which points nothing beats in both.

The front is of means, and means are estimates: of rows that tie, chance decides which one is on it. So a point that is not on
the front is not thereby worse. `Point.behind` says where the difference is more than chance: to a row of its own table by
that table's tests, which are corrected for all pairs; to a row of another table, with which nothing is paired, where the 95 %
intervals do not even overlap. Between two rows that is a stricter test than one at 5 %; it is not corrected for their number.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kdbench.records.profile import Profile
from kdbench.reports.board import Board, Row, Table, Value
from kdbench.reports.cost_axes import Axis, axes_of


@dataclass(frozen=True)
class Point:
    """A row with what its student costs, in the unit of its plane.

    `best`: no point is cheaper and at least as good, or costs the same and is better, by their means. `behind`: some point that
    costs no more is surely better (see the module).
    """

    row: Row
    cost: float
    value: Value  # RSUM
    best: bool
    behind: bool = False

    @property
    def standing(self) -> str:
        """`front`; `behind`, surely; or `open`: not on the front, but by no more than chance."""
        return "front" if self.best else "behind" if self.behind else "open"


@dataclass(frozen=True)
class Plane:
    """Points that may be compared: one dataset, protocol, budget and, for times, one device. RSUM is up, cost to the right."""

    id: str  # 12 hexadecimal digits, from what makes its points comparable
    title: str
    cost: str  # the axis: `latency of both towers at batch 1, ms`, or `parameters, M`
    points: list[Point]  # cheapest first, of equal cost the best first
    references: list[Row]  # what the teachers score, at costs that are not compared; best first
    notes: list[str] = field(default_factory=list)  # students without a profile, timings that may not be repeatable


def planes(board: Board, profiles: Sequence[Profile]) -> list[Plane]:
    """Latency on each device and parameters, for rows of all tables that share dataset by content, protocol and budgets.

    Rows without a profile have no point, which the plane's notes say; a plane without points is left out. Profiles that share
    their id count once, the first.
    """
    unique: dict[str, Profile] = {}
    for place, profile in enumerate(profiles):
        unique.setdefault(profile.id or f"unnamed {place}", profile)
    joined: dict[str, list[Table]] = defaultdict(list)
    for table in board.tables:
        joined[_comparable(table)].append(table)
    axes = axes_of(list(unique.values()))
    found = [(axis, _plane(key, tables, axis)) for key, tables in joined.items() for axis in axes]
    return _told_apart([(axis, plane) for axis, plane in found if plane.points])


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points (cost, score) no other dominates: none is cheaper and scores as much, or costs the same and scores more."""
    best = [False] * len(points)
    cheaper = costing = -float("inf")  # the highest scores of all that cost less, and of those that cost the same
    last: float | None = None
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1])):
        cost, score = points[place]
        if cost != last:
            last, cheaper, costing = cost, max(cheaper, costing), score
        best[place] = score > cheaper and score == costing
    return best


def _comparable(table: Table) -> str:
    return json.dumps([table.digest, sorted(set(table.recall_at)), table.budget, table.tuning, table.smoke])


def _plane(key: str, tables: Sequence[Table], axis: Axis) -> Plane:
    found: list[tuple[Table, int, float]] = []
    without: Counter[str] = Counter()
    unstable: dict[str, list[str]] = {}
    for table in tables:
        for place, row in enumerate(table.rows):
            profile = axis.profile_of(row)
            if profile is None:
                without[row.student] += 1
                continue
            found.append((table, place, axis.cost_of(profile)))
            if axis.timed and profile.unstable:
                unstable[row.student] = profile.reasons
    notes = [f"{name}: not profiled here, so {_rows(count)} no point" for name, count in without.items()]
    notes += [f"{name}: timings may not be repeatable ({'; '.join(reasons)})" for name, reasons in unstable.items()]
    first = tables[0]
    names = ", ".join(dict.fromkeys(table.dataset for table in tables))
    trial = "SMOKE, not publishable: " if first.smoke else ""
    return Plane(
        id=hashlib.sha256(json.dumps([key, axis.key]).encode()).hexdigest()[:12],
        title=f"{trial}{names} test · {axis.label} · {first.budget}, {first.tuning}",
        cost=axis.cost,
        points=sorted(_points(found), key=lambda point: (point.cost, -point.value.mean, point.row.id)),
        references=_references(tables),
        notes=notes,
    )


def _rows(count: int) -> str:
    return "its row has" if count == 1 else f"its {count} rows have"


def _points(found: Sequence[tuple[Table, int, float]]) -> list[Point]:
    best = front([(cost, table.rows[place].values["rsum"].mean) for table, place, cost in found])
    points = []
    for on_front, (table, place, cost) in zip(best, found, strict=True):
        row = table.rows[place]
        # A difference is tested on the seeds two rows share, so it may have another sign than that of their means.
        behind = not on_front and any(
            price <= cost and other.rows[rival] is not row and _surely(other, table, rival, place)
            for other, rival, price in found
        )
        points.append(Point(row, cost, row.values["rsum"], on_front, behind))
    return points


def _surely(table: Table, other: Table, place: int, other_place: int) -> bool:
    """Whether a row is better by more than chance."""
    if table is other:
        return bool(table.better[place, other_place])
    return table.rows[place].values["rsum"].low > other.rows[other_place].values["rsum"].high


def _references(tables: Iterable[Table]) -> list[Row]:
    unique = {row.id: row for table in tables for row in table.references}
    return sorted(unique.values(), key=lambda row: (-row.values["rsum"].mean, row.id))


def _told_apart(found: Sequence[tuple[Axis, Plane]]) -> list[Plane]:
    """Machines of one kind are told apart by their hosts, where a title alone would not."""
    titles = Counter(plane.title for _, plane in found)
    return [
        replace(plane, title=f"{plane.title} · host {axis.host}") if titles[plane.title] > 1 and axis.timed else plane
        for axis, plane in found
    ]
