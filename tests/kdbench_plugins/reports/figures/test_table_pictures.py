"""Weights over training and the spread of seeds, table by table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.colors import to_hex

from kdbench.records.trace import Trace
from kdbench.reports import build
from kdbench.reports.board import Table
from kdbench.reports.palette import BLUE, COLOURS, RED
from kdbench.reports.plots import regime_map, seed_spread, teacher_weights
from kdbench_plugins.reports.figures.matplotlib_style import settings
from kdbench_plugins.reports.figures.picture_files import Picture
from tests.support.drawn_lines import xs, ys
from tests.support.made_boards import row, table
from tests.support.situations import regime, situations


@pytest.fixture(autouse=True)
def as_when_saved() -> Iterator[None]:
    with settings():
        yield


def trace(**columns: list[float]) -> Trace:
    return Trace(step=[4, 8, 12], weights=columns)


def weight_pictures(table: Table) -> list[Picture]:
    return [Picture.of(plot) for plot in teacher_weights(table)]


FIRST = trace(a=[0.2, 0.4, 0.6], b=[0.8, 0.6, 0.4])
SECOND = trace(a=[0.4, 0.4, 0.9], b=[0.6, 0.6, 0.1])


# Weights


def test_a_panel_has_means_and_bands_over_seeds() -> None:
    (picture,) = weight_pictures(table(row("swings", traces=[FIRST, SECOND])))
    (axes,) = picture.figure().axes
    share, a, b = axes.lines
    assert ys(share) == [0.5, 0.5]
    for line, colour, mean in ((a, COLOURS[0], [0.3, 0.4, 0.75]), (b, COLOURS[1], [0.7, 0.6, 0.25])):
        assert xs(line) == [4, 8, 12]
        np.testing.assert_allclose(ys(line), mean)
        assert line.get_color() == colour
    bands = [{tuple(point) for point in band.get_paths()[0].vertices.tolist()} for band in axes.collections]  # type: ignore[union-attr]
    assert bands == [
        {(4, 0.2), (4, 0.4), (8, 0.4), (12, 0.6), (12, 0.9)},
        {(4, 0.6), (4, 0.8), (8, 0.6), (12, 0.1), (12, 0.4)},
    ]
    assert axes.get_title(loc="left") == "swings"
    assert axes.get_title(loc="right") == "100.0"
    assert picture.data.split("\n")[2:] == [
        f"{row('swings', traces=[]).id} swings of a + b seeds=2 steps=4..12 windows=3",
        "  a mean 0.300 0.400 0.750; lowest 0.200 0.400 0.600; highest 0.400 0.400 0.900",
        "  b mean 0.700 0.600 0.250; lowest 0.600 0.600 0.100; highest 0.800 0.600 0.400",
    ]
    assert picture.alt.endswith("1 strategy; swings ends on a 0.75, b 0.25.")


def test_rows_without_weights_have_no_panel() -> None:
    alone = row("", team=["a"], traces=[trace(a=[1.0, 1.0, 1.0])])
    assert weight_pictures(table(row("equal"), alone, row("", team=[]))) == []
    (picture,) = weight_pictures(table(row("equal"), alone, row("swings", traces=[FIRST])))
    figure = picture.figure()
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()] == ["swings (1 of 2 seeds)"]
    assert not figure.axes[0].collections
    assert "lowest" not in " ".join(text.get_text() for text in figure.legends[0].get_texts())


def test_seeds_at_other_steps_are_not_averaged() -> None:
    other = Trace(step=[5, 10, 12], weights=SECOND.weights)
    (picture,) = weight_pictures(table(row("swings", seeds=[1.0, 2.0, 3.0], traces=[FIRST, other, SECOND])))
    (axes,) = picture.figure().axes
    assert axes.get_title(loc="left") == "swings (2 of 3 seeds)"
    np.testing.assert_allclose(ys(axes.lines[1]), [0.3, 0.4, 0.75])


def test_weights_that_are_no_shares_have_their_own_scales() -> None:
    big = row("big", traces=[trace(a=[2.0, 3.0, 4.0], b=[1.0, 1.0, 1.0])])
    both = weight_pictures(table(row("swings", traces=[FIRST]), big))[0].figure()
    shown = [axes for axes in both.axes if axes.get_visible()]
    assert shown[1].get_ylim()[1] > 4
    assert shown[0].get_ylim()[1] < 1
    shares = weight_pictures(table(row("swings", traces=[FIRST]), row("other", traces=[SECOND])))[0].figure()
    assert len({axes.get_ylim() for axes in shares.axes}) == 1


def test_many_panels_go_on_in_further_pictures() -> None:
    rows = [row(f"s{place:02}", 100.0 - place, traces=[FIRST]) for place in range(25)]
    one = table(*rows[:-1], row("last", traces=[trace(b=[0.8, 0.6, 0.4], c=[0.2, 0.4, 0.6])], team=["b", "c"]))
    first, second = weight_pictures(one)
    assert second.stem == f"{first.stem}-2"
    assert (first.title[-8:], second.title[-8:]) == ("(1 of 2)", "(2 of 2)")
    shown = [axes.get_title(loc="left") for axes in first.figure().axes]
    assert shown == [f"s{place:02} (1 of 2 seeds)" for place in range(24)]
    (axes,) = second.figure().axes
    assert [line.get_color() for line in axes.lines[1:]] == [COLOURS[1], COLOURS[2]]  # b as in the first picture


# Seeds


def test_each_seed_is_a_dot_beside_mean_and_interval() -> None:
    rows = [row("a", 110.0, seeds=[105.0, 115.0], group=1), row("b", 90.0, seeds=[85.0, 90.0, 95.0], group=2)]
    rows.append(row("c", 80.0, group=1))
    picture = Picture.of(seed_spread(table(*rows)))
    (axes,) = picture.figure().axes
    dots: dict[float, list[float]] = {}
    for line in axes.lines:
        if line.get_color() == RED:
            dots.setdefault(ys(line)[0], []).extend(xs(line))
    assert dots == {0: [105.0, 115.0], 1: [85.0, 90.0, 95.0], 2: [79.0, 81.0]}
    means = {ys(line)[0]: xs(line)[0] for line in axes.lines if line.get_marker() == "D"}
    assert means == {0: 110.0, 1: 90.0, 2: 80.0}
    bars = [tuple(xs(line)) for line in axes.lines if line.get_color() == BLUE and len(xs(line)) == 2]
    assert bars == [(105.0, 115.0), (85.0, 95.0), (75.0, 85.0)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a   1", "b   2", "c   1"]
    assert axes.get_ylim() == (2.5, -0.5)  # the first at the top
    assert sorted(patch.get_y() for patch in axes.patches) == [-0.5, 1.5]  # type: ignore[attr-defined]
    assert {to_hex(patch.get_facecolor()) for patch in axes.patches} == {"#707070"}
    assert picture.data.split("\n")[2] == f"{rows[0].id} a of a + b group=1 mean=110 low=105 high=115 seed0=105 seed1=115"
    assert picture.alt.endswith("3 rows in 2 tie groups, a of a + b has the best mean, 110.0.")


# Regimes


def test_the_legend_has_the_findings_of_all_regimes() -> None:
    """The first panel has undecided gains alone."""
    legend = Picture.of(regime_map(build(situations()).regimes)).figure().legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [
        "significantly better than equal",
        "significantly worse",
        "undecided",
    ]


def test_a_legend_of_one_entry_is_left_out() -> None:
    assert Picture.of(regime_map(build(regime("alike", {"good": 3.0})).regimes)).figure().legends == []
