"""Curves as text: braille dots in small panels, one for each curve, distinguishable without colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

NARROW, WIDE, TALL = 26, 60, 9  # a panel's minimum and maximum width, and its height, in characters


def side_by_side(
    step: Sequence[int], shown: Mapping[str, Sequence[float]], columns: int, limits: tuple[float, float] | None = None
) -> str:
    """Side by side, in as few rows as fit."""
    rows = math.ceil(len(shown) / max(1, columns // NARROW))
    across = math.ceil(len(shown) / rows)
    width = min(columns // across, WIDE)
    drawn = [panel(name, step, values, width, limits or _range(values)) for name, values in shown.items()]
    lines = []
    for first in range(0, len(drawn), across):
        row = drawn[first : first + across]
        lines += ["".join(parts).rstrip() for parts in zip(*row, strict=True)]
    return "\n".join(lines)


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.0 if low < high else 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def panel(name: str, step: Sequence[int], values: Sequence[float], width: int, limits: tuple[float, float]) -> list[str]:
    """One curve in braille dots, as lines of equal length."""
    import plotext

    plotext.terminal.limit(False, False)  # the size set below, not that of the terminal
    figure = plotext.figure
    figure.clear.all()
    figure.theme("colorless")
    figure.plot_size(width, TALL)
    figure.title(name if len(name) < width - 6 else f"{name[: width - 8]}…")
    figure.draw(figure.signal(list(step), list(values), marker="braille").lines(True))
    ticks = [limits[0], sum(limits) / 2, limits[1]]
    figure.ruler(1, 0).lim(*limits)
    figure.ruler(1, 0).ticks(ticks, [f"{_short(tick):>5}" for tick in ticks])
    ends = sorted({step[0], step[-1]})
    figure.ruler(0, 0).lim(ends[0], ends[-1] if len(ends) > 1 else ends[0] + 1)
    figure.ruler(0, 0).ticks(ends, [str(end) for end in ends])
    text: str = figure.build().string(colorless=True)
    return [line.ljust(width) for line in text.rstrip("\n").split("\n")]


def _short(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0e}"
