"""The teachers' own scores as labelled lines across a plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdbench.reports.board import Row
from kdbench.reports.figures.names import wrapped
from kdbench.reports.figures.place import apart
from kdbench.reports.palette import GREY
from kdbench.reports.pareto import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAR = 2.0  # heights of what the students take up, beyond which a line would press them flat


def include(axes: Axes, plane: Plane) -> list[tuple[Row, str]]:
    """Draws the lines and widens the axis to them; returns each reference with an arrow where it lies beyond the picture."""
    low = min(point.value.low for point in plane.points)
    high = max(point.value.high for point in plane.points)
    height = max(high - low, 1.0)
    shown = []
    for row in plane.references:
        mean = row.values["rsum"].mean
        beyond = "↑" if mean > high + FAR * height else "↓" if mean < low - FAR * height else ""
        if not beyond:
            axes.axhline(mean, color=GREY, linestyle="--", linewidth=1, zorder=1)
            low, high = min(low, mean), max(high, mean)
        shown.append((row, beyond))
    margin = 0.05 * max(high - low, 1.0)
    axes.set_ylim(low - margin, high + margin)
    return shown


def name_lines(axes: Axes, shown: Sequence[tuple[Row, str]]) -> None:
    """Names on the right of the lines, moved where they would touch. The figure has been drawn once."""
    texts = [[*wrapped(row.name, 20), f"{row.values['rsum'].mean:.1f} {beyond}".strip()] for row, beyond in shown]
    box = axes.get_window_extent()
    point = axes.figure.dpi / 72
    bottom, top = axes.get_ylim()
    heights = [(min(max(row.values["rsum"].mean, bottom), top) - bottom) / (top - bottom) * box.height for row, _ in shown]
    gap = max((len(lines) for lines in texts), default=0) * 10.5 * point
    for (row, _), lines, height, place in zip(shown, texts, heights, apart(heights, gap), strict=True):
        axes.annotate(
            "\n".join(lines),
            (1, min(max(row.values["rsum"].mean, bottom), top)),
            (5, (place - height) / point),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=GREY,
            parse_math=False,
        )
