"""Where labels and marks go."""

from __future__ import annotations

from itertools import combinations, groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kdbench.reports.figures.place import apart, label, sideways
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from scipy.optimize import isotonic_regression

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


@given(st.lists(st.sampled_from([1.0, 2.0, 2.5, 8.0]), min_size=1, max_size=40), st.floats(0.001, 2))
def test_sideways_spreads_equals_and_mixes_none(costs: list[float], step: float) -> None:
    costs.sort()
    moved = [cost + offset for cost, offset in zip(costs, sideways(costs, step), strict=True)]
    groups = [[place for _, place in group] for _, group in groupby(zip(costs, moved, strict=True), key=lambda pair: pair[0])]
    for cost, group in zip(sorted(set(costs)), groups, strict=True):
        assert group[0] == cost
        assert len({round(place, 9) for place in group}) == len(group)
        assert max(abs(place - cost) for place in group) <= step * (len(group) // 2) + 1e-9
    for before, after in pairwise(groups):
        assert max(before) < min(after)


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


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_single_cost_is_spread_by_steps(count: int) -> None:
    assert sorted(sideways([3.0] * count, 0.5)) == sorted(0.5 * place for place in range(-((count - 1) // 2), count // 2 + 1))
    assert all(after >= before for before, after in pairwise(sorted(sideways([3.0] * count, 0.5))))
