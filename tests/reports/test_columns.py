"""Columns: the way they are named, and what has none."""

from __future__ import annotations

import pytest

from kdbench.errors import KdbenchError
from kdbench.reports import build
from kdbench.reports.columns import check_names, columns, known_columns, rank, seeds
from kdbench.suite.race import RaceDesign
from tests.support.rankings import row
from tests.support.situations import regime


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


def test_columns_are_asked_for_by_name() -> None:
    """In any case, with or without the unit; a metric by the name that records have, too."""
    (table,) = build(row("equal", timings={"train": 8.0, "teacher": 2.0})).tables
    names = ["RSUM", "Strategy", "t2i-r@1", "text_retrieval_recall@5", "train", "teachers (s)", "teachers", "seeds", "rsum"]
    found = [column.name for column in columns(table, names)]
    assert found == ["RSUM", "strategy", "t2i R@1", "i2t R@5", "train (s)", "teachers (s)", "teachers", "n"]
    assert all(column.keep is None for column in columns(table, names))
    hidden = columns(table, ["row", "mean_recall", "id"])
    assert [column.text(table.rows[0]) for column in hidden][0::2] == ["equal of a + b", table.rows[0].id]
    assert not {column.name for column in hidden} & {column.name for column in columns(table)}


def test_a_name_that_no_column_has() -> None:
    (table,) = build(row("equal", team=("a",))).tables
    (rich,) = build(row("equal")).tables
    check_names(["mean weights"], [table, rich])
    with pytest.raises(KdbenchError, match="columns: found 'mean weights'; expected the name of a column"):
        check_names(["mean weights"], [table])
    with pytest.raises(KdbenchError, match=r"found 'RSUN'; expected the name of a column. Did you mean 'RSUM'\?"):
        check_names(["strategy", "RSUN"], [table])
    check_names(["anything"], [])


def test_a_regime_and_why_a_row_stopped_have_columns() -> None:
    """The regime is in the title: its column has to be asked for."""
    race = RaceDesign(min_seeds=2, max_seeds=4, looks=2)
    (table,) = build(regime("wrong", {"good": 1.5}, race=race)).tables
    (first, *_) = table.rows
    found = columns(table, ["regime", "stopped"])
    assert [column.text(first) for column in found] == ["wrong", "settled, look 2"]
    assert "regime" not in {column.name for column in columns(table)}
    assert "stopped" in {column.name for column in columns(table)}
    with pytest.raises(KdbenchError, match=r"found 'regimes'; expected the name of a column. Did you mean 'regime'\?"):
        check_names(["regimes"], [table])
    (plain,) = build(row("equal")).tables
    with pytest.raises(KdbenchError, match="found 'regime'; expected the name of a column"):
        check_names(["regime"], [plain])


def test_what_is_typed_in_short_is_one_column() -> None:
    (table,) = build(row("equal", timings={"train": 8.0, "teacher": 2.0})).tables
    known = known_columns(table.metrics)
    assert {"rank", "strategy", "rsum", "t2i-r@1", "train", "teachers", "teacher-seconds", "mean-weights"} <= set(known)
    assert len(set(known.values())) == len(known)
    for name, head in known.items():
        assert [column.name for column in columns(table, [name])] in ([head], [])
