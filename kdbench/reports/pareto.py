"""What a metric costs: each row as a point, the headline against latency or parameters, and which points are on the front.

The front is of means, and means are estimates: which of several indistinguishable rows is on it is a matter of chance. A point
off the front is therefore not necessarily worse. `Point.behind` says where the difference is significant: from a row of its own
table by that table's tests, which are corrected for all pairs; from a row of another table, with which nothing is paired, where
the 95 % intervals do not even overlap. Between two rows that is stricter than a test at 5 %; it is not corrected for their
number.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kdbench.contracts import Metric
from kdbench.records.profile import Profile
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.cost_axes import Axis, axes_of
from kdbench.statistics.value import Value


@dataclass(frozen=True)
class Point:
    """A row with what its student costs, in the unit of its plane; `value` is its headline.

    `best`: no point is cheaper and at least as good, or costs the same and is better, by their means. `behind`: some point that
    costs no more is significantly better (see the module).
    """

    row: Row
    cost: float
    value: Value
    best: bool
    behind: bool = False

    @property
    def standing(self) -> str:
        """`front`; `behind`, significantly; or `open`: not on the front, but not significantly worse."""
        return "front" if self.best else "behind" if self.behind else "open"


@dataclass(frozen=True)
class Plane:
    """Points that may be compared: one protocol but for the student and, for times, one device."""

    id: str  # 12 hexadecimal digits, from what makes its points comparable
    title: str
    cost: str  # label of its axis: `latency of image + text, batch 1 (ms)`, or `parameters (M)`
    metric: Metric  # the headline, on the other axis
    points: list[Point]  # cheapest first, of equal cost the best first
    references: list[Row]  # teachers themselves, at costs that are not compared; best first
    notes: list[str] = field(default_factory=list)  # students without a profile, timings that may not be repeatable


def planes(board: Board, profiles: Sequence[Profile]) -> list[Plane]:
    """Latency on each device and parameters, for rows of all tables whose protocols differ in nothing but the student.

    Rows without a profile have no point, which the plane's notes say; a plane without points is left out. Profiles that share
    their id count once, the first.
    """
    unique: dict[str, Profile] = {}
    for index, profile in enumerate(profiles):
        unique.setdefault(profile.id or f"unnamed {index}", profile)
    joined: dict[str, list[Table]] = defaultdict(list)
    for table in board.tables:
        joined[table.protocol.replace(student=None).id].append(table)
    axes = axes_of(list(unique.values()))
    found = [(axis, _plane(key, tables, axis)) for key, tables in joined.items() for axis in axes]
    return _with_hosts([(axis, plane) for axis, plane in found if plane.points])


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points (cost, score), more score being better, no other dominates: none is cheaper and scores as much, or costs the
    same and scores more."""
    best = [False] * len(points)
    cheaper = costing = -float("inf")  # the highest scores of all that cost less, and of those that cost the same
    last: float | None = None
    for index in sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1])):
        cost, score = points[index]
        if cost != last:
            last, cheaper, costing = cost, max(cheaper, costing), score
        best[index] = score > cheaper and score == costing
    return best


def _plane(key: str, tables: Sequence[Table], axis: Axis) -> Plane:
    found: list[tuple[Table, int, float]] = []
    without: Counter[str] = Counter()
    unstable: dict[str, list[str]] = {}
    for table in tables:
        for index, row in enumerate(table.rows):
            profile = axis.profile_of(row)
            if profile is None:
                without[row.student] += 1
                continue
            found.append((table, index, axis.cost_of(profile)))
            if axis.timed and profile.unstable:
                unstable[row.student] = profile.reasons
    notes = [f"{name}: not profiled here, so {_rows(count)} no point" for name, count in without.items()]
    notes += [f"{name}: timings may not be repeatable ({'; '.join(reasons)})" for name, reasons in unstable.items()]
    first = tables[0]
    smoke = "SMOKE, not publishable: " if first.smoke else ""
    return Plane(
        id=hashlib.sha256(f"{key} {axis.key}".encode()).hexdigest()[:12],
        title=f"{smoke}{first.dataset} {first.protocol.split} · {axis.label} · {first.budget}, {first.tuning}",
        cost=axis.cost,
        metric=first.headline,
        points=sorted(_points(found), key=lambda point: (point.cost, -_score(point.row), point.row.id)),
        references=_references(tables),
        notes=notes,
    )


def _rows(count: int) -> str:
    return "its row has" if count == 1 else f"its {count} rows have"


def _points(found: Sequence[tuple[Table, int, float]]) -> list[Point]:
    best = front([(cost, _score(table.rows[index])) for table, index, cost in found])
    points = []
    for on_front, (table, index, cost) in zip(best, found, strict=True):
        row = table.rows[index]
        # A difference is tested on the seeds two rows share, so it may have another sign than that of their means.
        behind = not on_front and any(
            price <= cost and other.rows[rival] is not row and _better(other, table, rival, index)
            for other, rival, price in found
        )
        points.append(Point(row, cost, row.value, on_front, behind))
    return points


def _score(row: Row) -> float:
    """Its mean, turned so that more is better."""
    return row.value.mean if row.headline.higher_is_better else -row.value.mean


def _better(table: Table, other: Table, index: int, other_index: int) -> bool:
    """Whether the first row is significantly better than the other."""
    if table is other:
        return bool(table.better[index, other_index])
    one, rival = table.rows[index].value, other.rows[other_index].value
    return one.low > rival.high if table.headline.higher_is_better else one.high < rival.low


def _references(tables: Iterable[Table]) -> list[Row]:
    unique = {row.id: row for table in tables for row in table.references}
    return sorted(unique.values(), key=lambda row: (-_score(row), row.id))


def _with_hosts(found: Sequence[tuple[Axis, Plane]]) -> list[Plane]:
    """Planes of several machines of one kind have their hosts in the title."""
    titles = Counter(plane.title for _, plane in found)
    return [
        replace(plane, title=f"{plane.title} · host {axis.host}") if titles[plane.title] > 1 and axis.timed else plane
        for axis, plane in found
    ]
