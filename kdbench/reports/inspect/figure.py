"""A run as a figure, for papers and talks. Drawn on a Figure of its own, without pyplot and its global state."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.errors import KdbenchError
from kdbench.reports.inspect import panels
from kdbench.reports.inspect.curves import Curves, read_curves
from kdbench.reports.palette import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel = tuple[float, Callable[["Axes", Curves], None]]  # its height, in inches, and what paints it


def draw(record: Path, png: Path) -> None:
    """Writes the figure as PNG. Raises RecordError as `read_curves` does, and KdbenchError if it cannot be written."""
    figure = figure_of(read_curves(record))
    try:
        figure.savefig(png, dpi=150)
    except (OSError, ValueError) as error:
        raise KdbenchError(f"{png}: the figure cannot be written ({error})") from error


def figure_of(curves: Curves) -> Figure:
    """Panels over a common axis of steps: weights, their entropy, cosines of gradients, losses, what the strategy reports; with
    fewer than two teachers the losses alone."""
    from matplotlib.figure import Figure

    stack: list[Panel] = []
    if curves.weighted:
        stack += [(2.6, panels.weights), (1.2, panels.entropy), (2.2, panels.cosines)]
    stack += [(2.2, panels.losses)]
    stack += [(1.6, partial(panels.reported, kind, group)) for kind, group in _groups(curves.trace.report).items()]
    heights = [height for height, _ in stack]
    figure = Figure(figsize=(10, 1.0 + sum(heights)), layout="constrained")
    rows = figure.subplots(len(stack), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (_, paint) in zip(rows, stack, strict=True):
        paint(axes, curves)
        for step in curves.stage_starts:
            axes.axvline(step, color=GREY, linestyle="--", linewidth=1)
    rows[-1].set_xlabel(f"step ({curves.windows})")
    head = [line for text in (curves.record.spec.label, curves.outcome, *curves.notes) for line in textwrap.wrap(text, 110)]
    figure.suptitle("\n".join(head), fontsize=10, parse_math=False)
    return figure


def _groups(report: Mapping[str, Sequence[float | None]]) -> dict[str, dict[str, Sequence[float | None]]]:
    """Values of one kind share a panel: `head/a` with `head/b`, `P(a)` with `P(b)`."""
    groups: dict[str, dict[str, Sequence[float | None]]] = {}
    for name, column in report.items():
        kind = name.split("/")[0].split("(")[0] or name
        groups.setdefault(kind, {})[name] = column
    return groups
