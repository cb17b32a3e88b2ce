"""A run in the terminal: plots of text, without colour, so that they can be piped and pasted."""

from __future__ import annotations

import math
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from tabulate import tabulate

from kdbench.errors import counted
from kdbench.reports.inspect.braille import side_by_side
from kdbench.reports.inspect.curves import Curves, read_curves


def terminal(record: Path, width: int | None = None) -> str:
    """Weights by teacher and losses over the steps, then tables that sum them up. As wide as the terminal by default."""
    curves = read_curves(record)
    columns = max(40, min(width or shutil.get_terminal_size().columns, 160))
    head = [curves.record.spec.label, curves.outcome, *curves.notes]
    parts = ["\n".join(_wrap(line, columns) for line in head)]
    if curves.weighted:
        parts += [_weights(curves, columns)]
    parts += [_losses(curves, columns)]
    if curves.weighted:
        parts += [_teachers(curves), _wrap(_entropy(curves), columns), _gradients(curves, columns)]
    if curves.trace.report:
        parts += [_report(curves)]
    return "\n\n".join(parts)


def _wrap(text: str, columns: int) -> str:
    return textwrap.fill(text, columns, break_on_hyphens=False)


def _weights(curves: Curves, columns: int) -> str:
    values = [value for column in curves.trace.weights.values() for value in column]
    limits = min(0.0, math.floor(10 * min(values)) / 10), max(0.1, math.ceil(10 * max(values) - 1e-6) / 10)
    heading = _wrap(f"Weight of each teacher, by step ({curves.windows}; one scale for all):", columns)
    return f"{heading}\n{side_by_side(curves.trace.step, curves.trace.weights, columns, limits)}"


def _losses(curves: Curves, columns: int) -> str:
    if curves.trace.loss == curves.trace.task:
        what, shown = "Task loss", {"task loss": curves.trace.task}
    else:
        what, shown = "Loss", {"loss, with all terms": curves.trace.loss, "task loss alone": curves.trace.task}
    heading = _wrap(f"{what}, by step ({curves.windows}):", columns)
    return f"{heading}\n{side_by_side(curves.trace.step, shown, columns)}"


def _teachers(curves: Curves) -> str:
    means = curves.record.weights  # over all steps
    rows = {
        name: [means[name], column[0], column[-1], min(column), max(column)] for name, column in curves.trace.weights.items()
    }
    return _table(["weight of", "mean", "first", "last", "lowest", "highest"], rows, ".3f")


def _entropy(curves: Curves) -> str:
    return (
        f"Entropy of the weights: {fmean(curves.trace.entropy):.3f} nats on average, {fmean(curves.evenness):.0%} of "
        f"ln {len(curves.trace.weights)} (100% is equal weights at every step, 0% one teacher alone)."
    )


def _gradients(curves: Curves, columns: int) -> str:
    rows = {pair: [fmean(column), min(column), max(column)] for pair, column in curves.trace.cosines.items()}
    table = _table(["cosine of gradients", "mean", "lowest", "highest"], rows, ".3f")
    steps = counted(len(curves.trace.conflict), "step")
    meaning = (
        f"Gradients of the teachers' losses at the student's outputs, compared at {steps} spread over the run: "
        f"1 is the same direction, below 0 they conflict. Some pair did at {sum(curves.trace.conflict)} of the "
        f"{len(curves.trace.conflict):,} ({curves.conflicting:.0%}): the share of conflicting steps."
    )
    return f"{table}\n\n{_wrap(meaning, columns)}"


def _report(curves: Curves) -> str:
    rows = {}
    for name, column in curves.trace.report.items():
        known = [value for value in column if value is not None] or [math.nan]
        rows[name] = [known[0], known[-1], min(known), max(known)]
    return _table([f"{curves.strategy}'s own", "first", "last", "lowest", "highest"], rows, ".4g")


def _table(headers: list[str], rows: Mapping[str, Sequence[float]], style: str) -> str:
    """Without tabulate's parsing of numbers: a teacher may be called 1e5."""
    cells = [[name, *(format(value, style) for value in values)] for name, values in rows.items()]
    align = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(cells, headers=headers, colalign=align, disable_numparse=True)
