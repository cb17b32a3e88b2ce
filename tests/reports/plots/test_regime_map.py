"""The map of regimes as a plot."""

from __future__ import annotations

from kdbench.reports import build
from kdbench.reports.plots import regime_map
from tests.support.situations import situations


def test_every_gain_is_a_mark_in_its_regime_s_panel_at_its_row() -> None:
    found = build(situations()).regimes
    plot = regime_map(found)
    assert [panel.title for panel in plot.panels] == [one.name for one in found]
    for panel, one in zip(plot.panels, found, strict=True):
        names = panel.y.names
        marks = {names[int(mark.y or 0)]: (points.label, mark) for points in panel.points for mark in points.marks}
        assert set(marks) == {gain.label for gain in one.gains}
        for gain in one.gains:
            label, mark = marks[gain.label]
            assert (mark.x, mark.low, mark.high) == (gain.mean, gain.low, gain.high)
            assert label.startswith(
                {"better": "significantly better", "worse": "significantly worse"}.get(gain.found, gain.found)
            )


def test_all_panels_have_the_same_rows_those_that_gain_most_first() -> None:
    plot = regime_map(build(situations()).regimes)
    (names,) = {panel.y.names for panel in plot.panels}
    assert names.index("told") < names.index("good") < names.index("bad") < names.index("no distillation")


def test_the_figures_and_a_sentence_say_what_is_drawn() -> None:
    found = build(situations()).regimes
    plot = regime_map(found)
    assert plot.data.count("\n") + 1 == len(found) + sum(len(one.gains) for one in found)
    assert plot.alt.startswith("Gains over equal of 5 rows in 3 regimes: 4 better, 2 worse")
