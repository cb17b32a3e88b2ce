"""By how much teachers lower errors: each row of a suite of forecasts against its student without teachers, in percent."""

from __future__ import annotations

from collections.abc import Sequence

from docs.tools.blocks import cell, table
from docs.tools.compared import Compared, Gain
from docs.tools.result_blocks import ROOT, read
from kdbench.contracts import Metric
from kdbench.records.record import Record
from kdbench.reports import Row
from kdbench.reports.columns import figure, seeds

METRICS = ("mse", "mae")


def errors_lowered(folder: str) -> str:
    """All rows of the suite whose records are in `folder`, with MSE and MAE; empty without records."""
    return lowered(folder, METRICS) if (ROOT / folder).is_dir() else ""


def lowered(folder: str, names: Sequence[str]) -> str:
    """A table of all rows with these metrics, of which less is better, and the reasons of what was skipped.

    Teachers themselves are its first rows; then follow the students, best rows first. As on the leaderboard, findings are
    corrected for all pairs of a student's rows.
    """
    found, board = read(folder)
    metrics = [found.runs[0].task.metric(name) for name in names]
    heads = ["row", "n", *(head for metric in metrics for head in (metric.head, "lower by (%)", "finding"))]
    teachers = {row.id: row for listed in board.tables for row in listed.references}.values()
    lines = [[*_named(row), *(part for metric in metrics for part in (_error(row, metric), "–", "–"))] for row in teachers]
    for rows in (one.rows for one in board.tables if one.rows):
        compared = [Compared(found, rows, metric) for metric in metrics]
        base = next((row for row in rows if not row.spec.team), None)
        lines += [[*_named(row), *(part for one in compared for part in _parts(one, row, base))] for row in rows]
    return "\n\n".join([table(heads, lines), *_skipped(found.unfinished)])


def _named(row: Row) -> tuple[str, str]:
    return cell(row.spec.cell_label), seeds(row)


def _error(row: Row, metric: Metric) -> str:
    return figure(row.values[metric.name], metric)


def _parts(compared: Compared, row: Row, base: Row | None) -> list[str]:
    """The error, by how much it is below that of the student without teachers, and what was found."""
    error = _error(row, compared.metric)
    if base is None or row.id == base.id:
        return [error, "–", "the baseline" if base else "–"]
    gain = compared.gain(row.spec.cell_label, base.spec.cell_label)
    return [error, _percent(gain, base.values[compared.metric.name].mean), gain.found]


def _percent(gain: Gain, of: float) -> str:
    mean, low, high = (f"{100 * value / of:+.1f}" for value in (gain.mean, gain.low, gain.high))
    return f"{mean} ({low} to {high})"


def _skipped(records: list[Record]) -> list[str]:
    """Reasons, and the rows that were left out for each."""
    reasons: dict[str, set[str]] = {}
    for record in records:
        if record.status == "skipped":
            reasons.setdefault(record.reason, set()).add(record.spec.cell_label)
    lines = [f"- {', '.join(sorted(labels))}: {reason}" for reason, labels in sorted(reasons.items())]
    return ["Skipped, with the reason:", "\n".join(lines)] if lines else []
