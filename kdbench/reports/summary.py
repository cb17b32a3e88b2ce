"""What a board says of each student at a glance: its best row, its cheapest, the one without distillation, and its own cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from kdbench.contracts import Metric
from kdbench.records.profile import Profile
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.cost_axes import MILLION, Axis, axes_of
from kdbench.reports.verdict import cheapest, is_oracle

GIGA = 10**9
OWN = ("student", "student initialisation", "task")  # parts of a protocol that a summary shows otherwise, or not
BEST, CHEAPEST, UNDISTILLED = "best", "cheapest", "no distillation"
CHEAPEST_IS = "cheapest: the fewest teachers and the simplest weighting among the rows that no row is significantly better than"


@dataclass(frozen=True)
class StudentCost:
    """Of a student at inference: parameters in millions, FLOPs of one input to each part in 10⁹, the time of one input to each
    part in ms (None if it was not timed where the others were), size in MB (10⁶ bytes)."""

    parameters: float
    gflops: float
    latency: float | None
    size_mb: float
    unstable: bool = False


@dataclass(frozen=True)
class Line:
    """A row of a table, with what makes it worth a look: `kinds` are some of `best`, `cheapest`, `no distillation`."""

    table: Table
    row: Row
    kinds: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """`best and cheapest`; a row without distillation names itself as such."""
        return " and ".join(kind for kind in self.kinds if kind != UNDISTILLED)

    @property
    def label(self) -> str:
        """`best and cheapest: lite0 alone`"""
        return f"{self.prefix}: {self.row.name}" if self.prefix else self.row.name


@dataclass(frozen=True)
class StudentLines:
    """A student under one protocol. `name` is its label, with what its table differs from the others in."""

    name: str
    lines: tuple[Line, ...]
    cost: StudentCost | None


@dataclass(frozen=True)
class Summary:
    """Students that are measured by the same metrics: `beside` the first of each group, then the headline.

    `what` it lists: `student`, or `regime` where all tables are regimes of one student, whose name then goes without saying.
    """

    beside: tuple[Metric, ...]
    headline: Metric
    students: list[StudentLines]
    latency: str = ""  # what was timed, and where; empty if nothing was
    notes: list[str] = field(default_factory=list)
    what: str = "student"

    @property
    def unstable(self) -> bool:
        """Whether timings of any student may not be repeatable."""
        return any(student.cost and student.cost.unstable for student in self.students)


def summaries(board: Board, profiles: Sequence[Profile] = ()) -> list[Summary]:
    """One for tables with the same metrics, mostly one; none without students."""
    groups: dict[tuple[str, ...], list[Table]] = defaultdict(list)
    for table in board.tables:
        if table.rows:
            groups[tuple(metric.name for metric in (*beside(table.metrics), table.headline))].append(table)
    axes = axes_of(list({profile.id or str(place): profile for place, profile in enumerate(profiles)}.values()))
    return [_summary(tables, axes) for tables in groups.values()]


def beside(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """The most important shown metric of each group besides the headline's; without groups the two most important ones."""
    found = [metric for metric in metrics if metric.shown and not metric.headline]
    groups = dict.fromkeys(metric.group for metric in found if metric.group)
    if not groups:
        return tuple(sorted(found, key=lambda metric: -metric.priority)[:2])
    return tuple(max((one for one in found if one.group == group), key=lambda one: one.priority) for group in groups)


def lines_of(table: Table) -> tuple[Line, ...]:
    """Its best row, the cheapest of those that no row is significantly better than, and the best one without distillation.

    Weights that somebody was told are nobody's to use.
    """
    kinds: dict[int, list[str]] = defaultdict(list)
    kinds[next((place for place, row in enumerate(table.rows) if not is_oracle(row)), 0)].append(BEST)
    candidates = [place for place in table.verdict.candidates if not is_oracle(table.rows[place])]
    if candidates and len(table.verdict.candidates) > 1:
        kinds[cheapest(table.rows, candidates)].append(CHEAPEST)
    if (undistilled := next((place for place, row in enumerate(table.rows) if not row.team), None)) is not None:
        kinds[undistilled].append(UNDISTILLED)
    return tuple(Line(table, table.rows[place], tuple(found)) for place, found in kinds.items())


def _summary(tables: Sequence[Table], axes: Sequence[Axis]) -> Summary:
    anywhere = next((axis for axis in axes if not axis.timed), None)
    timed = max((axis for axis in axes if axis.timed), key=lambda axis: sum(map(bool, _profiles(axis, tables))), default=None)
    apart = _apart(tables)
    if len({_student(table) for table in tables}) == 1 and all(table.protocol.regime for table in tables):
        names, what = [one or table.protocol.regime for one, table in zip(apart, tables, strict=True)], "regime"
    else:
        names = [" · ".join(filter(None, (_student(table), one))) for one, table in zip(apart, tables, strict=True)]
        what = "student"
    students = [
        StudentLines(name, lines_of(table), _cost(table.rows[0], anywhere, timed))
        for name, table in zip(names, tables, strict=True)
    ]
    notes = []
    if any(CHEAPEST in line.kinds for student in students for line in student.lines):
        open_still = any(table.verdict.case == "undecided" for table in tables)
        notes.append(CHEAPEST_IS + ("; where a table is undecided, it may still be worse" if open_still else ""))
    known = [student.cost for student in students if student.cost]
    latency = (
        f"{timed.cost}, {timed.label.removeprefix('latency ')}"
        if timed and any(cost.latency is not None for cost in known)
        else ""
    )
    first = tables[0]
    return Summary(beside(first.metrics), first.headline, students, latency, notes, what)


def _profiles(axis: Axis, tables: Sequence[Table]) -> list[Profile | None]:
    return [axis.profile_of(table.rows[0]) for table in tables]


def _cost(row: Row, anywhere: Axis | None, timed: Axis | None) -> StudentCost | None:
    profile = anywhere.profile_of(row) if anywhere else None
    if profile is None:
        return None
    clocked = timed.profile_of(row) if timed else None
    return StudentCost(
        parameters=profile.parameters / MILLION,
        gflops=sum(part.flops for part in profile.parts.values()) / GIGA,
        latency=timed.cost_of(clocked) if timed and clocked else None,
        size_mb=profile.size_bytes / MILLION,
        unstable=bool(clocked and clocked.unstable),
    )


def _apart(tables: Sequence[Table]) -> list[str]:
    """What tells each table from others of the same student: what these differ in, and its id if that is the same."""
    labels = [{**table.protocol.parts, "dataset": _dataset(table)} for table in tables]
    apart = [""] * len(tables)
    for student in {_student(table) for table in tables}:
        places = [place for place, table in enumerate(tables) if _student(table) == student]
        for what in dict.fromkeys(name for place in places for name in labels[place] if name not in OWN):
            told = _in_short([labels[place].get(what, "") for place in places])
            for place, text in zip(places, told, strict=True):
                apart[place] = " · ".join(filter(None, (apart[place], text)))
        again = Counter(apart[place] for place in places)
        for place in places:
            if again[apart[place]] > 1:
                apart[place] = " · ".join(filter(None, (apart[place], tables[place].id)))
    return apart


def _student(table: Table) -> str:
    return table.protocol.parts["student"]


def _in_short(values: Sequence[str]) -> list[str]:
    """Values that differ, up to their first comma if they still differ then; empty if they do not."""
    short = [value.partition(",")[0] for value in values]
    distinct = len(set(values))
    return [
        "" if distinct == 1 else one if len(set(short)) == distinct else value for one, value in zip(short, values, strict=True)
    ]


def _dataset(table: Table) -> str:
    return table.dataset if table.trained_on == table.dataset else f"{table.dataset}, trained on {table.trained_on}"
