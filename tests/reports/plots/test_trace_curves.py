"""The curves of a run's page."""

from __future__ import annotations

from kdbench.records.trace import Trace
from kdbench.reports.plots.trace_curves import trace_curves


def test_curves_take_the_columns_there_are_with_gaps_for_what_is_not_finite() -> None:
    found = trace_curves(
        Trace(
            step=[1, 2, 3],
            loss=[3.0, float("nan"), float("inf")],
            weights={"a": [0.1, 0.2, 0.3], "b": [0.5, 0.5, 0.5]},
            report={"own": [1, None, 3]},
        )
    )
    assert found is not None
    assert found.columns == {
        "loss": [3.0, None, None],
        "weights: a": [0.1, 0.2, 0.3],
        "weights: b": [0.5, 0.5, 0.5],
        "report: own": [1, None, 3],
    }
    assert [panel.title for panel in found.panels] == ["Loss", "Weight of each teacher"]
    line, other = found.panels[1].lines
    assert (line.label, line.x, line.y) == ("a", (1, 2, 3), (0.1, 0.2, 0.3))
    assert (other.label, other.place) == ("b", 1)
    assert trace_curves(Trace()) is None


def test_weights_are_left_out_where_there_are_none_to_choose() -> None:
    """A run without teachers has an entropy of 0 at each step, one with a single teacher a weight of 1."""
    for weights in ({}, {"a": [1.0, 1.0]}):
        found = trace_curves(Trace(step=[1, 2], loss=[3.0, 2.0], task=[3.0, 2.0], weights=weights, entropy=[0.0, 0.0]))
        assert found is not None
        assert [panel.title for panel in found.panels] == ["Loss"]
        assert list(found.columns) == ["loss", "task"]
