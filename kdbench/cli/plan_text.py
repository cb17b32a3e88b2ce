"""A plan as a table: a line for each run, or where these are many for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kdbench.reports.column import Column
from kdbench.reports.text_table import table_text, wrapped
from kdbench.suite.spec import RunSpec

MANY = 40  # runs, from which on rows are listed
TEAM = 3  # teachers; of more, the first two and the number of the others
CONSTANT = 1.0


@dataclass(frozen=True)
class Line:
    """Runs of one cell, and how each of them stands."""

    runs: tuple[RunSpec, ...]
    states: tuple[str, ...]

    @property
    def spec(self) -> RunSpec:
        """That of any of its runs."""
        return self.runs[0]


def plan_text(specs: Sequence[RunSpec], states: Mapping[str, str], width: int, each: bool = False) -> str:
    """The table, at most `width` characters wide. `states` tells by run id how a run stands; with `each`, all have a line."""
    each = each or len(specs) <= MANY
    cells: dict[str, list[RunSpec]] = {}
    for spec in specs:
        cells.setdefault(spec.run_id if each else spec.cell_id, []).append(spec)
    lines = [Line(tuple(runs), tuple(states[spec.run_id] for spec in runs)) for runs in cells.values()]
    shown = _of_runs(lines) if each else _of_rows(lines)
    text, left_out = table_text(shown, lines, "table", width)
    if not left_out:
        return text
    same = ", ".join(f"{column.name} {column.text(lines[0])}" for column in shown if column.name in left_out)
    return f"{text}\n\n{wrapped(f'- the same in all: {same}', 'table', width)}"


def _of_runs(lines: Sequence[Line]) -> list[Column[Line]]:
    return [
        Column("run", lambda line: line.spec.run_id),
        *_of_cells(lines),
        Column("seed", lambda line: line.spec.which),
        Column("status", lambda line: line.states[0], left=True),
    ]


def _of_rows(lines: Sequence[Line]) -> list[Column[Line]]:
    head = "seeds × folds" if any(line.spec.fold for line in lines) else "seeds"
    seeds = Column(head, _seeds, keep=_kept(lines, _seeds))
    return [*_of_cells(lines), seeds, Column("runs", _counts, left=True)]


def _of_cells(lines: Sequence[Line]) -> list[Column[Line]]:
    """What tells cells apart."""

    def dataset(line: Line) -> str:
        return line.spec.dataset.name

    def student(line: Line) -> str:
        return line.spec.student.name

    kind = "regime" if any(line.spec.regime for line in lines) else "variant"
    variant = Column[Line](kind, lambda line: line.spec.variant, left=True)
    return [
        Column("dataset", dataset, left=True, keep=_kept(lines, dataset)),
        Column("student", student, left=True, keep=_kept(lines, student)),
        *([variant] if any(line.spec.variant for line in lines) else []),
        Column("teachers", lambda line: _teachers(line.spec), left=True),
        Column("strategy", lambda line: line.spec.strategy.name if line.spec.strategy else "–", left=True),
    ]


def _kept(lines: Sequence[Line], text: Callable[[Line], str]) -> float | None:
    """The priority of a column: one that says the same in every line is left out first."""
    return CONSTANT if len({text(line) for line in lines}) < 2 else None


def _teachers(spec: RunSpec) -> str:
    if spec.reference:
        return "teacher itself"
    names = spec.teachers if len(spec.teachers) <= TEAM else (*spec.teachers[:2], f"{len(spec.teachers) - 2} more")
    return " + ".join(names) or "no distillation"


def _seeds(line: Line) -> str:
    seeds, folds = {spec.seed for spec in line.runs}, {spec.fold for spec in line.runs if spec.fold}
    return f"{len(seeds)} × {len(folds)}" if folds else f"{len(seeds)}"


def _counts(line: Line) -> str:
    """How many runs stand how: `2 ok, 16 to do`."""
    return ", ".join(f"{count} {state}" for state, count in Counter(line.states).items())
