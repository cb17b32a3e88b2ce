"""What came out of a suite of systems: each against its baselines, in words, and a table of every row against one baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from docs.tools.blocks import cell, table
from docs.tools.result_blocks import ROOT, read
from docs.tools.systems import SYSTEMS, System
from kdbench.contracts import Metric
from kdbench.errors import counted
from kdbench.records.profile import Profile
from kdbench.records.reading import Reading
from kdbench.reports import Board, Row
from kdbench.reports.columns import figure, seeds
from kdbench.reports.cost_axes import MILLION, axes_of
from kdbench.statistics.cells import cell_of
from kdbench.statistics.comparable import estimate_difference
from kdbench.statistics.looks import look_once
from kdbench.statistics.splits import split_of

GIGA = 10**9
Finding = Literal["significantly better", "significantly worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Gain:
    """By how much one row is better than another, in the headline's shown unit, with its 95 % interval, of this pair alone;
    `found` is corrected for all pairs of the suite's rows."""

    mean: float
    low: float
    high: float
    found: Finding


class Compared:
    """The rows of a suite, whatever their students, best first, and the gain of each over each.

    Raises KdbenchError if they were evaluated on different test splits.
    """

    def __init__(self, found: Reading, board: Board, metric: Metric | None = None) -> None:
        """`metric` is the suite's primary one by default; with another one nothing is equivalent."""
        rows = [row for one in board.tables for row in one.rows]
        self.metric: Metric = metric or rows[0].headline
        self.margin = rows[0].runs[0].margin if self.metric == rows[0].headline else 0.0
        sign = 1 if self.metric.higher_is_better else -1
        self.rows = sorted(rows, key=lambda row: -sign * row.value.mean)
        runs = [run for row in self.rows for run in row.runs]
        self._cells = [cell_of(row.runs, *split_of(runs, found.units)) for row in self.rows]
        scores = [one.scores(self.metric.name) for one in self._cells]
        self._looks = look_once(scores, self.margin, self.metric.higher_is_better)
        self._places = {row.spec.cell_label: place for place, row in enumerate(self.rows)}

    def __contains__(self, label: object) -> bool:
        return label in self._places

    def gain(self, label: str, base: str) -> Gain:
        """Of the row with a `RunSpec.cell_label`, over another one."""
        one, other = self._places[label], self._places[base]
        estimate = estimate_difference(self._cells[one], self._cells[other], self.metric.name)
        low, high = sorted(self.metric.gain(end, 0.0) for end in (estimate.low, estimate.high))
        return Gain(self.metric.gain(estimate.mean, 0.0), low, high, self._found(one, other))

    def _found(self, one: int, other: int) -> Finding:
        if self._looks.better[one, other]:
            return "significantly better"
        if self._looks.better[other, one]:
            return "significantly worse"
        return "equivalent" if self._looks.alike[one, other] else "undecided"


def system_result(folder: str) -> str:
    """The sections of the systems whose suite has its records in `folder`, such as `results/puma`; empty without records."""
    of = [one for one in SYSTEMS if one.row and one.suite == Path(folder).name]
    assert of, f"docs/tools/systems.py: no system has a row in the suite {Path(folder).name}"
    return sections(of, folder) if (ROOT / folder).is_dir() else ""


def sections(systems: Sequence[System], folder: str) -> str:
    """Heading and words of each system, and a table of all rows. Rows without records are named."""
    found, board = read(folder)
    if not any(one.rows for one in board.tables):
        return ""
    compared = Compared(found, board)
    told = [f"## {one.name}\n\n{words(one, compared)}" for one in systems]
    base = systems[0].baselines[0]
    if base in compared:
        told += [_rows(compared, base, found.profiles), _note(compared, base)]
    return "\n\n".join(told)


def words(system: System, compared: Compared) -> str:
    """Which of its baselines the system beats, and by how much."""
    lacking = [label for label in (system.row, *system.baselines) if label not in compared]
    waiting = f"Without records so far: {', '.join(lacking)}." if lacking else ""
    if system.row not in compared:
        return waiting
    gains = {base: compared.gain(system.row, base) for base in system.baselines if base in compared}
    counts = {what: [base for base, one in gains.items() if one.found == what] for what in get_args(Finding)}
    parts = [f"{what} {_than(what)} {len(bases)}" for what, bases in counts.items() if bases]
    against = f"against {counted(len(gains), 'baseline')}: {', '.join(parts)}" if gains else "has no baseline yet"
    lead = f"**{system.row}** {against}."
    lines = [
        f"- {_finding(one.found, compared)} {_than(one.found)} {base}: {_told(one, compared.metric)}"
        for base, one in gains.items()
    ]
    return "\n\n".join(part for part in (lead, "\n".join(lines), waiting) if part)


def _than(found: Finding) -> str:
    return {"equivalent": "to", "undecided": "against"}.get(found, "than")


def _finding(found: Finding, compared: Compared) -> str:
    within = f" within {compared.margin:g} {compared.metric.label}" if found == "equivalent" else ""
    return f"{found[:1].upper()}{found[1:]}{within}"


def _told(one: Gain, metric: Metric) -> str:
    mean, low, high = (f"{value:+.{metric.decimals}f}" for value in (one.mean, one.low, one.high))
    return f"{mean} {metric.label} (95 % interval {low} to {high})"


def _rows(compared: Compared, base: str, profiles: Sequence[Profile]) -> str:
    metric = compared.metric
    heads = ["row", "n", metric.label, "gain", "against the baseline", "params (M)", "GFLOPs"]
    lines = []
    for row in compared.rows:
        label = row.spec.cell_label
        gained = ["–", "the baseline"] if label == base else _gained(compared.gain(label, base), metric)
        lines.append([cell(label), seeds(row), figure(row.value, metric), *gained, *_costs(row, profiles)])
    return table(heads, lines)


def _gained(one: Gain, metric: Metric) -> list[str]:
    mean, low, high = (f"{value:+.{metric.decimals}f}" for value in (one.mean, one.low, one.high))
    return [f"{mean} ({low} to {high})", one.found]


def _costs(row: Row, profiles: Sequence[Profile]) -> list[str]:
    """Of the row's student at inference, wherever it was profiled."""
    axis = next((one for one in axes_of(profiles) if not one.timed), None)
    profile = axis.profile_of(row) if axis else None
    if profile is None:
        return ["–", "–"]
    return [f"{profile.parameters / MILLION:.3g}", f"{sum(part.flops for part in profile.parts.values()) / GIGA:.3g}"]


def _note(compared: Compared, base: str) -> str:
    first = compared.rows[0].runs[0].record
    better = "" if compared.metric.higher_is_better else f"; positive: a lower {compared.metric.label}"
    sizes = ", ".join(f"{count:,} {what}" for what, count in first.sizes.items())
    return (
        f"*Gain*: over {base}, with its 95 % interval over seeds and test units{better}. Findings are corrected for all pairs "
        f"of rows (Holm, 5 %). Test split of {first.spec.dataset.name}: {sizes}."
    )
