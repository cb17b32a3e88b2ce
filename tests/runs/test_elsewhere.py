"""Whether a difference is as large as another machine makes."""

from __future__ import annotations

import pytest

from kdbench.contracts import Metric
from kdbench.runs.elsewhere import judged

RSUM = Metric("rsum", "RSUM", "points", headline=True, best=400.0, worst=0.0, decimals=1)


@pytest.mark.parametrize(
    ("share", "gap", "expected"),
    [(0.8, 1.2, "no more than"), (0.8470, -1.28, "no more than"), (0.9, 0.0, "more than"), (0.1, -1.5, "more than")],
)
def test_against_what_was_measured(share: float, gap: float, expected: str) -> None:
    told = judged(RSUM, share, gap, explained=True)
    assert told.startswith(expected)
    assert told.endswith("(84.70% of queries, RSUM -1.28)")


def test_nothing_is_known_of_other_metrics_and_nothing_needed_on_the_same_machine() -> None:
    error = Metric("rmse", "RMSE", "K", higher_is_better=False, headline=True, best=0.0)
    assert judged(error, 0.5, 0.5, explained=True) == "how much another machine changes RMSE has not been measured"
    assert "the same to the bit" in judged(error, 0.5, 0.5, explained=False)
