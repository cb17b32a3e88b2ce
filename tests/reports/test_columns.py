"""Columns: the way they are named, what has none, and what goes first where there is little room."""

from __future__ import annotations

from kdbench.reports import build
from kdbench.reports.columns import columns, fitting, rank, seeds
from tests.support.rankings import row


def test_columns_are_the_way_they_are_named() -> None:
    """t2i is texts retrieving images: CLIP_benchmark's image_retrieval."""
    (table,) = build(row("equal", 2.0)).tables
    (one,) = table.rows
    shown = {column.name: column.text(one) for column in columns(table)}
    for way, metric in (("t2i", "image"), ("i2t", "text")):
        for k in (1, 5, 10):
            value = one.values[f"{metric}_retrieval_recall@{k}"]
            assert shown[f"{way} R@{k}"] == f"{value.mean:.1f} ± {value.half:.1f}"
    assert shown["t2i R@5"] != shown["i2t R@5"]


def test_what_no_row_knows_has_no_column() -> None:
    (table,) = build(row("equal", team=("a",))).tables
    found = {column.name for column in columns(table)}
    assert not found & {"variant", "mean weights", "memory (MB)", "train (s)", "teachers (s)"}
    (rich,) = build(row("equal", peak_mb=512.0, spec={"variant": "full"})).tables
    assert {"variant", "mean weights", "memory (MB)"} <= {column.name for column in columns(rich)}


def test_ranks_and_seeds() -> None:
    (table,) = build([*row("x", 1.0, seeds=[0]), *row("y", 1.0, draw=3), *row("lens", seeds=[0], role="reference")]).tables
    assert {rank(one) for one in table.rows} == {"1–2"}
    assert sorted(map(seeds, table.rows)) == ["1!", "3"]
    (reference,) = table.references
    assert (rank(reference), seeds(reference)) == ("", "1")


def test_the_least_important_go_first_and_the_names_never() -> None:
    (table,) = build(row("equal", peak_mb=512.0)).tables
    everything = columns(table)
    assert fitting(everything, table.rows, None) == (everything, [])
    gone: list[str] = []
    for width in range(300, 0, -10):
        shown, dropped = fitting(everything, table.rows, width)
        assert set(gone) <= set(dropped)
        assert len(shown) + len(dropped) == len(everything)
        gone = dropped
    assert gone[-1] == "mean weights"
    assert [column.name for column in shown] == ["rank", "teachers", "strategy", "n", "RSUM"]
