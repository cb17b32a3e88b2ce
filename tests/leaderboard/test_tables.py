"""Records to rows: what is averaged, what may be compared."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdbench.leaderboard import Board, build
from kdbench.plan import RunSpec
from kdbench.records import Record, Status

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]
AMMKD = {"name": "ammkd", "use": "ammkd", "params": {"C": 0.6}}


def test_no_records() -> None:
    assert build([]) == Board([], [])


def test_mean_and_sample_deviation_over_seeds(spec: Spec, record: Make) -> None:
    values = [100.0, 104.0, 110.0]
    (table,) = build([record(spec(seed=i), rsum=rsum) for i, rsum in enumerate(values)]).tables
    (row,) = table.rows
    assert (row.student, row.teachers, row.strategy, row.seeds) == ("pebble", "a + b", "equal", 3)
    assert row.values["rsum"].mean == pytest.approx(np.mean(values))
    assert row.values["rsum"].std == pytest.approx(np.std(values, ddof=1))
    recall = row.values["image_retrieval_recall@5"]  # a share in records, percent here
    assert (recall.mean, recall.std) == pytest.approx((np.mean(values) / 4, np.std(values, ddof=1) / 4))
    assert row.train_seconds == 8.0


def test_one_seed_has_no_deviation(spec: Spec, record: Make) -> None:
    (table,) = build([record(spec())]).tables
    assert {value.std for value in table.rows[0].values.values()} == {None}


def test_a_constant_has_none_but_zero(spec: Spec, record: Make) -> None:
    (table,) = build([record(spec(seed=seed), rsum=33.3) for seed in range(3)]).tables
    assert table.rows[0].values["rsum"].std == 0.0
    assert table.rows[0].values["rsum"].mean == pytest.approx(33.3)


def test_best_rsum_first(spec: Spec, record: Make) -> None:
    plain = spec(team=[], strategy=None, objective=[])
    records = [record(spec(), rsum=90.0), record(spec(strategy=AMMKD), rsum=120.0), record(plain, rsum=105.0)]
    (table,) = build(records).tables
    assert [(row.teachers, row.strategy) for row in table.rows] == [("a + b", "ammkd"), ("none", "–"), ("a + b", "equal")]


def test_the_mean_orders_and_not_the_best_seed(spec: Spec, record: Make) -> None:
    lucky = [record(spec(seed=seed), rsum=rsum) for seed, rsum in enumerate([130.0, 50.0])]
    steady = [record(spec(strategy=AMMKD, seed=seed), rsum=100.0) for seed in (0, 1)]
    (table,) = build([*lucky, *steady]).tables
    assert [row.strategy for row in table.rows] == ["ammkd", "equal"]


def test_weights_are_averaged(spec: Spec, record: Make) -> None:
    records = [record(spec(seed=i), weights={"a": share, "b": 1 - share}) for i, share in enumerate([0.2, 0.5])]
    (table,) = build(records).tables
    assert table.rows[0].weights == pytest.approx({"a": 0.35, "b": 0.65})


@pytest.mark.parametrize("what", ["digest", "dataset", "epochs", "batch_size", "steps", "recall_at"])
def test_what_does_not_compare_is_another_table(what: str, spec: Spec, record: Make) -> None:
    """And the board says why. Everything else about the two records is equal."""
    other = {
        "digest": lambda: record(spec(strategy=AMMKD), dataset_digest="e" * 64),
        "dataset": lambda: record(spec(strategy=AMMKD, dataset={"name": "circles", "use": "shapes", "params": {}})),
        "epochs": lambda: record(spec(strategy=AMMKD, train=spec().train | {"epochs": 3})),
        "batch_size": lambda: record(spec(strategy=AMMKD, train=spec().train | {"batch_size": 16})),
        "steps": lambda: record(spec(strategy=AMMKD), steps=20),
        "recall_at": lambda: record(spec(strategy=AMMKD, evaluate={"recall_at": [5, 1], "every": 1})),
    }[what]()
    board = build([record(spec()), other])
    assert sorted(row.strategy for table in board.tables for row in table.rows) == ["ammkd", "equal"]
    assert len(board.tables) == 2
    assert board.notes == ["2 tables, because rows with another dataset, protocol or sample budget do not compare"]


def test_what_compares_is_one_table(spec: Spec, record: Make) -> None:
    """Another learning rate, λ, machine or version is a row beside the others."""
    faster = record(spec(strategy=AMMKD, train=spec().train | {"lr": 1e-2, "distill": 2.0}), host={"id": "ffffffff"})
    board = build([record(spec()), faster])
    assert [len(table.rows) for table in board.tables] == [2]
    assert board.notes == []


@pytest.mark.parametrize("status", ["failed", "skipped", "diverged"])
def test_runs_without_figures_are_notes(status: Status, spec: Spec, record: Make) -> None:
    board = build([record(spec()), record(spec(seed=1), status=status, reason="no such device", metrics={})])
    assert board.notes == [f"pebble · a+b · equal · seed 1: {status}: no such device"]
    assert [row.seeds for table in board.tables for row in table.rows] == [1]


def test_title_says_what_was_measured(spec: Spec, record: Make) -> None:
    sizes = {"images": 1000, "captions": 5000, "concepts": 1000}
    (table,) = build([record(spec(), sizes=sizes)]).tables
    assert table.title == (
        "shapes test (1,000 images, 5,000 captions, 1,000 concepts; digest dddddddd) · 2 epochs, 10 steps of 8 pairs"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(order=st.permutations(range(6)))
def test_the_order_of_records_does_not_matter(order: list[int], spec: Spec, record: Make) -> None:
    everyone = [
        record(spec(seed=seed, strategy=strategy), rsum=100 / 3 + seed**2 + 10 * place)
        for place, strategy in enumerate([spec().strategy, AMMKD])
        for seed in range(3)
    ]
    board = build([everyone[i] for i in order])
    assert board == build(everyone)
    assert all(math.isfinite(value.mean) for row in board.tables[0].rows for value in row.values.values())
