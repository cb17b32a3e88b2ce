"""Places labels without overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox


def apart(positions: Sequence[float], gap: float) -> list[float]:
    """Positions in the same order, at least `gap` apart, with the least sum of squared moves."""
    order = sorted(range(len(positions)), key=lambda place: positions[place])
    blocks: list[tuple[float, int]] = []  # groups of touching labels: position of the first, number
    for rank, place in enumerate(order):
        start, count = positions[place] - rank * gap, 1
        while blocks and blocks[-1][0] >= start:
            before, number = blocks.pop()
            start, count = (before * number + start * count) / (number + count), number + count
        blocks.append((start, count))
    starts = [start for start, count in blocks for _ in range(count)]
    found = [0.0] * len(positions)
    for rank, place in enumerate(order):
        found[place] = starts[rank] + rank * gap
    return found


OFFSETS = [(x, y) for y in (9, -9, 20, -20, 31, -31) for x in (-7, 7)]  # offsets from the mark in points, the nearest first


def label(axes: Axes, marks: Sequence[tuple[float, float, str]], taken: Sequence[tuple[Bbox, float]]) -> list[Annotation]:
    """Writes a text beside each mark (x, y, text), where it covers the least of other texts and of `taken`.

    `taken` holds boxes in pixels, each with the cost of covering one of its pixels.
    """
    renderer = axes.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes, written = list(taken), []
    inside = axes.get_window_extent(renderer)
    for x, y, text in marks:
        note = axes.annotate(text, (x, y), (0, 0), textcoords="offset points", va="center", parse_math=False, zorder=7)
        note.set(fontsize=8, fontweight="bold")
        note.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8})
        costs = []
        for nth, (right, up) in enumerate(OFFSETS):
            note.set(position=(right, up), ha="left" if right > 0 else "right")
            box = note.get_window_extent(renderer)
            outside = box.width * box.height - _shared(box, inside)
            costs.append((sum(weight * _shared(box, other) for other, weight in boxes) + 3 * outside, nth))
        right, up = OFFSETS[min(costs)[1]]
        note.set(position=(right, up), ha="left" if right > 0 else "right")
        boxes.append((note.get_window_extent(renderer), 3.0))
        written.append(note)
    return written


def _shared(one: Bbox, other: Bbox) -> float:
    """The area of the intersection of two boxes, in square pixels."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(0.0, float(width)) * max(0.0, float(height))
