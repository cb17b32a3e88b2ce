"""The scores of teachers themselves as labelled lines across a panel."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from kdbench.reports.palette import GREY
from kdbench.reports.plots.labels import wrapped
from kdbench.reports.plots.model import Level, Panel
from kdbench_plugins.reports.figures.label_layout import apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAR = 2.0  # in heights of the students' range; a line farther away would compress it too much


def include(axes: Axes, panel: Panel) -> list[tuple[Level, str]]:
    """Draws the named levels and extends the axis to them; returns each with an arrow if it is outside the figure."""
    ends = [end for mark in panel.marks for end in (mark.low, mark.high) if end is not None and isfinite(end)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    height = (high - low) or abs(high) / 100 or 1.0
    first_low, first_high = low, high
    shown = []
    for level in panel.levels:
        if not level.named:
            continue
        beyond = "↑" if level.value > first_high + FAR * height else "↓" if level.value < first_low - FAR * height else ""
        if not beyond:
            axes.axhline(level.value, color=GREY, linestyle="--", linewidth=1, zorder=1)
            low, high = min(low, level.value), max(high, level.value)
        shown.append((level, beyond))
    margin = 0.05 * ((high - low) or height)
    axes.set_ylim(low - margin, high + margin)
    return shown


def name_lines(axes: Axes, shown: Sequence[tuple[Level, str]]) -> None:
    """Writes names to the right of the lines, moved apart if they would touch. Draw the figure once before."""
    texts = [[*wrapped(level.name, 20), f"{level.text} {beyond}".strip()] for level, beyond in shown]
    box = axes.get_window_extent()
    point = axes.figure.dpi / 72
    bottom, top = axes.get_ylim()
    heights = [(min(max(level.value, bottom), top) - bottom) / (top - bottom) * box.height for level, _ in shown]
    gap = max((len(lines) for lines in texts), default=0) * 10.5 * point
    for (level, _), lines, height, place in zip(shown, texts, heights, apart(heights, gap), strict=True):
        axes.annotate(
            "\n".join(lines),
            (1, min(max(level.value, bottom), top)),
            (5, (place - height) / point),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=GREY,
            parse_math=False,
        )
