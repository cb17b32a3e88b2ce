"""Regimes for programs."""

from __future__ import annotations

import json

import pytest

from kdbench.reports import build, leaderboard
from kdbench.reports.regimes import advice
from tests.support.rankings import row
from tests.support.situations import situations


def test_a_leaderboard_in_json_has_gains_and_advice() -> None:
    board = build(situations())
    (found,) = json.loads(leaderboard(board, [], "json"))["regimes"]
    assert found["advice"] == advice(board.regimes)
    for one, regime in zip(found["regimes"], board.regimes, strict=True):
        assert (one["name"], one["table"], one["runs"], one["tested"]) == (regime.name, regime.table.id, regime.runs, True)
        for gain, expected in zip(one["gains"], regime.gains, strict=True):
            assert (gain["row"], gain["label"], gain["found"]) == (expected.row.id, expected.label, expected.found)
            assert (gain["mean"], gain["low"], gain["high"]) == pytest.approx((expected.mean, expected.low, expected.high))
            assert set(gain["by_metric"]) == set(gain["detectable"]) == {"rsum", "log_rank"}


def test_without_regimes_there_is_no_key() -> None:
    assert "regimes" not in json.loads(leaderboard(build(row("equal")), [], "json"))
