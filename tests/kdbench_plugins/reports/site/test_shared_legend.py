"""A legend for several plots."""

from __future__ import annotations

from kdbench.reports import build
from kdbench.reports.plots import regime_map
from kdbench_plugins.reports.site.shared_legend import Entry, shared_legend
from tests.support.situations import regime, situations


def test_it_names_each_series_once() -> None:
    panels = regime_map(build(situations()).regimes).panels
    assert shared_legend(panels) == [
        Entry("◆", "--line-3", "significantly better than equal"),
        Entry("▼", "--line-2", "significantly worse"),
        Entry("○", "--other", "undecided"),
    ]


def test_one_series_needs_none() -> None:
    assert shared_legend(regime_map(build(regime("alike", {"good": 3.0})).regimes).panels) == []
