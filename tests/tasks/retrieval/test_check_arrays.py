"""Stored ranks of all positives that do not hold together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdbench.tasks.retrieval.check_arrays import problems, record_problems

SIZES = {"images": 2, "captions": 5, "concepts": 2}


def arrays(**changes: Any) -> dict[str, Any]:
    """Two images, the first with three captions, the second with two."""
    found: dict[str, Any] = {
        "text": [1, 2],
        "image": [1, 1, 2, 1, 2],
        "text_positives": [[1, 3, 4], [2, 5, 0]],
        "image_positives": [[1], [1], [2], [1], [2]],
    }
    return {name: np.array(values) for name, values in (found | changes).items()}


def test_good_ones_have_no_problem() -> None:
    assert list(problems(arrays(), SIZES, positives=True)) == []


def test_they_are_stored_only_where_the_task_says_so() -> None:
    [(what, found, expected)] = problems(arrays(), SIZES)
    assert (what, expected) == ("arrays", "text and image")
    assert "text_positives" in found
    best = {name: values for name, values in arrays().items() if "_" not in name}
    assert list(problems(best, SIZES)) == []
    [(what, found, expected)] = problems(best, SIZES, positives=True)
    assert (what, found) == ("arrays", "image, text")


@pytest.mark.parametrize(
    ("wrong", "what", "found"),
    [
        ([1, 2], "ranks of all text positives", "int64 of shape [2]"),
        ([[1.0, 3, 4], [2, 5, 0]], "ranks of all text positives", "float64 of shape [2, 3]"),
        ([[1, 3, 4]], "ranks of all text positives", "int64 of shape [1, 3]"),
        ([[1, 3, 6], [2, 5, 0]], "ranks of all text positives out of range", "0 to 6"),
        ([[1, 3, 4], [3, 5, 0]], "ranks of all text positives, query 1", "3 first"),
        ([[1, 4, 3], [2, 5, 0]], "ranks of all text positives, query 0", "[1, 4, 3]"),
        ([[1, 3, 4], [2, 0, 5]], "ranks of all text positives, query 1", "[2, 0, 5]"),
    ],
)
def test_wrong_ones_are_told(wrong: Any, what: str, found: str) -> None:
    [(told, seen, _)] = problems(arrays(text_positives=wrong), SIZES, positives=True)
    assert (told, seen) == (what, found)


def test_only_recalls_are_summed() -> None:
    metrics = {"text_retrieval_recall@1": 0.5, "image_retrieval_recall@1": 0.25, "rsum": 75.0, "mean_recall": 37.5}
    assert list(record_problems(metrics | {"text_retrieval_map@r": 0.9}, {})) == []
