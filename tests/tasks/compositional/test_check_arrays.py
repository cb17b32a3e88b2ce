"""What is wrong with stored answers, kinds, units and sizes is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdbench.tasks.compositional.check_arrays import problems, record_problems, unit_problems

SIZES = {"images": 3, "items": 8}
RIGHT = {"correct": np.array([0, 1] * 4), "kind": np.array([*range(7), 6])}


def test_right_arrays_have_no_problem() -> None:
    assert list(problems(RIGHT, SIZES)) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"correct": np.array([0, 2] * 4)}, ("correct out of range", "0 to 2", "0 to 1")),
        ({"kind": np.array([*range(7), 7])}, ("kind out of range", "0 to 7", "0 to 6")),
        ({"kind": np.array([*range(6), 0, 0])}, ("kind", "no item of swap_obj", "at least one of each kind")),
        ({"correct": np.array([0, 1])}, ("correct", "2", "8, the items by the record's sizes")),
        ({"correct": np.zeros(8)}, ("correct", "float64 of shape [8]", "one-dimensional integers")),
        ({"other": np.zeros(8, int)}, ("arrays", "correct, kind, other", "correct and kind")),
    ],
)
def test_wrong_arrays(changed: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert list(problems(RIGHT | changed, SIZES)) == [expected]


def test_a_missing_array() -> None:
    assert list(problems({"correct": RIGHT["correct"]}, SIZES)) == [("arrays", "correct", "correct and kind")]


def test_units_belong_to_the_split() -> None:
    items = np.array([0, 0, 1, 1, 1, 2, 2, 2])
    assert list(unit_problems({"items": items}, SIZES)) == []
    assert [found for _, found, _ in unit_problems({"items": items[:5]}, SIZES)] == ["{'images': 2, 'items': 5}"]
    assert [found for _, found, _ in unit_problems({"images": items}, SIZES)] == ["images"]


@pytest.mark.parametrize("sizes", [{"images": 1, "items": 8}, {"images": 9, "items": 8}, {"images": 3}])
def test_impossible_sizes(sizes: dict[str, int]) -> None:
    assert list(record_problems(SIZES)) == []
    assert len(list(record_problems(sizes))) == 1
