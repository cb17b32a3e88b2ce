"""What came out of a suite of systems: each against its baselines, in words, and a table of every row against one baseline."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import get_args

from docs.tools.blocks import cell, table
from docs.tools.compared import Compared, Finding, Gain
from docs.tools.result_blocks import ROOT, read
from docs.tools.systems import SYSTEMS, System
from kdbench.contracts import Metric
from kdbench.errors import counted
from kdbench.records.profile import Profile
from kdbench.reports import Board, Row
from kdbench.reports.columns import figure, seeds
from kdbench.reports.cost_axes import MILLION, axes_of

GIGA = 10**9


def system_result(folder: str) -> str:
    """The sections of the systems whose suite has its records in `folder`, such as `results/puma`; empty without records."""
    of = systems_of(Path(folder).name)
    assert of, f"docs/tools/systems.py: no system has a row in the suite {Path(folder).name}"
    return sections(of, folder) if (ROOT / folder).is_dir() else ""


def systems_of(suite: str) -> list[System]:
    """Those with a row in the suite."""
    return [one for one in SYSTEMS if one.row and one.suite == suite]


def sections(systems: Sequence[System], folder: str) -> str:
    """Heading and words of each system, and a table of all rows. Rows without records are named."""
    found, board = read(folder)
    if not (rows := rows_for(systems, board)):
        return ""
    compared = Compared(found, rows)
    parts = [f"## {one.name}\n\n{words(one, compared)}" for one in systems]
    base = systems[0].baselines[0]
    if base in compared:
        parts += [_rows(compared, base, found.profiles), _note(compared, base)]
    return "\n\n".join(parts)


def rows_for(systems: Sequence[System], board: Board) -> list[Row]:
    """Those of the one student that the systems and all their baselines have, as on the leaderboard; else all of the suite."""
    named = {label for one in systems for label in (one.row, *one.baselines)}
    shared = [one.rows for one in board.tables if named <= {row.spec.cell_label for row in one.rows}]
    return shared[0] if shared else [row for one in board.tables for row in one.rows]


def words(system: System, compared: Compared) -> str:
    """Which of its baselines the system beats, and by how much."""
    lacking = [label for label in (system.row, *system.baselines) if label not in compared]
    waiting = f"Without records so far: {', '.join(lacking)}." if lacking else ""
    if system.row not in compared:
        return waiting
    gains = {base: compared.gain(system.row, base) for base in system.baselines if base in compared}
    against = f"against {counted(len(gains), 'baseline')}: {tally(gains.values())}" if gains else "has no baseline yet"
    lead = f"**{system.row}** {against}."
    lines = [
        f"- {_finding(one.found, compared)} {_than(one.found)} {base}: {told(one, compared.metric)}"
        for base, one in gains.items()
    ]
    return "\n\n".join(part for part in (lead, "\n".join(lines), waiting) if part)


def tally(gains: Collection[Gain]) -> str:
    """How many baselines were found to be what: `significantly better than 2, undecided against 1`."""
    counts = {what: sum(one.found == what for one in gains) for what in get_args(Finding)}
    return ", ".join(f"{what} {_than(what)} {count}" for what, count in counts.items() if count)


def _than(found: Finding) -> str:
    return {"equivalent": "to", "undecided": "against"}.get(found, "than")


def _finding(found: Finding, compared: Compared) -> str:
    within = f" within {compared.margin:g} {compared.metric.label}" if found == "equivalent" else ""
    return f"{found[:1].upper()}{found[1:]}{within}"


def told(one: Gain, metric: Metric) -> str:
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
