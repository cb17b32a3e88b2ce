"""What goes first where there is little room for columns."""

from __future__ import annotations

from kdbench.reports import build
from kdbench.reports.column import fitting
from kdbench.reports.columns import columns
from tests.support.rankings import row


def test_the_least_important_go_first_and_the_names_never() -> None:
    (table,) = build(row("equal", peak_mb=512.0)).tables
    everything = columns(table)
    assert fitting(everything, table.rows) == everything
    gone: list[str] = []
    for width in range(300, 40, -10):
        shown = fitting(everything, table.rows, width)
        dropped = [column.name for column in everything if column not in shown]
        assert set(gone) <= set(dropped)
        assert ("t2i R@5" in dropped) == ("i2t R@5" in dropped)
        assert ("group" in dropped) <= ("t2i R@10" in dropped) <= ("teachers (s)" in dropped or "mean weights" in dropped)
        gone = dropped
    assert [column.name for column in shown] == ["rank", "teachers", "strategy", "n", "RSUM"]
    assert [column.name for column in fitting(everything, table.rows, 20)] == ["teachers", "strategy", "RSUM"]
    assert len(fitting(everything, table.rows, most=9)) <= 9
