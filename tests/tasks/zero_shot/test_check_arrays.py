"""What is wrong with stored ranks and classes is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdbench.tasks.zero_shot.check_arrays import problems

SIZES = {"images": 3, "classes": 4}
RIGHT = {"rank": np.array([1, 4, 2]), "class": np.array([0, 3, 3])}


def test_right_arrays_have_no_problem() -> None:
    assert list(problems(RIGHT, SIZES)) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"rank": np.array([0, 4, 2])}, ("rank out of range", "0 to 4", "1 to 4, by the record's sizes")),
        ({"rank": np.array([1, 5, 2])}, ("rank out of range", "1 to 5", "1 to 4, by the record's sizes")),
        ({"class": np.array([0, 4, 3])}, ("class out of range", "0 to 4", "0 to 3, by the record's sizes")),
        ({"class": np.array([0, 3])}, ("class", "2", "3, the images by the record's sizes")),
        ({"rank": np.array([1.0, 4.0, 2.0])}, ("rank", "float64 of shape [3]", "one-dimensional integers")),
        ({"other": np.array([1, 1, 1])}, ("arrays", "class, other, rank", "rank and class")),
    ],
)
def test_wrong_arrays(changed: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert list(problems(RIGHT | changed, SIZES)) == [expected]


def test_a_missing_array() -> None:
    assert list(problems({"rank": RIGHT["rank"]}, SIZES)) == [("arrays", "rank", "rank and class")]
