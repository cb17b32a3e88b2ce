"""Where labels go."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from scipy.optimize import isotonic_regression

from kdbench_plugins.reports.figures.label_layout import apart, label

positions = st.lists(st.floats(-50, 50), max_size=12)


@given(positions, st.floats(0.5, 20))
def test_apart_moves_least(at: list[float], gap: float) -> None:
    if not at:
        assert apart(at, gap) == []
        return
    order = np.argsort(at, kind="stable")
    shift = gap * np.arange(len(at))
    expected = np.empty(len(at))
    expected[order] = isotonic_regression(np.array(at)[order] - shift).x + shift
    np.testing.assert_allclose(apart(at, gap), expected, atol=1e-9)


def test_apart_leaves_what_is_apart() -> None:
    assert apart([30.0, 10.0, 20.5], 9.0) == [30.0, 10.0, 20.5]
    assert apart([0.0, 0.0, 100.0], 10.0) == [-5.0, 5.0, 100.0]


def test_labels_avoid_each_other_marks_and_the_edge() -> None:
    figure = Figure(figsize=(6, 4), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    marks = [(0.2, 5.0, "at the left"), (5.0, 5.0, "one"), (5.2, 5.1, "two"), (5.4, 5.2, "three"), (9.8, 9.8, "a corner")]
    figure.draw_without_rendering()
    centres = [axes.transData.transform(mark[:2]) for mark in marks]
    taken = [Bbox.from_extents(x - 5, y - 5, x + 5, y + 5) for x, y in centres]
    notes = label(axes, marks, [(box, 1.0) for box in taken])
    figure.draw_without_rendering()
    boxes = [note.get_window_extent() for note in notes]
    assert [note.get_text() for note in notes] == [mark[2] for mark in marks]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert not any(one.overlaps(other) for one in boxes for other in taken)
    inside = axes.get_window_extent()
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1 for box in boxes)


def test_a_label_covers_what_counts_less() -> None:
    figure = Figure(figsize=(6, 4), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    figure.draw_without_rendering()
    x, y = axes.transData.transform((0.5, 0.5))
    sides = {-1: Bbox.from_extents(x - 200, y - 80, x - 2, y + 80), 1: Bbox.from_extents(x + 2, y - 80, x + 200, y + 80)}
    for side in sides:
        taken = [(box, 5.0 if place == side else 1.0) for place, box in sides.items()]
        (note,) = label(axes, [(0.5, 0.5, "text")], taken)
        assert note.get_position()[0] * side < 0
