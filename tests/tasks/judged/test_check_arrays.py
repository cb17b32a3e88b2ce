"""What is wrong with stored ranks, units and sizes is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kdbench.tasks.judged.check_arrays import problems, record_problems, unit_problems

SIZES = {"images": 3, "captions": 6, "eccv_i2t": 2, "eccv_t2i": 3, "cxc_i2t": 3, "cxc_t2i": 5}
RIGHT: dict[str, Any] = {
    "eccv_i2t": np.array([[1, 5, 7], [2, 0, 0]]),
    "eccv_t2i": np.array([[1, 2], [3, 0], [2, 3]]),
    "cxc_i2t": np.array([1, 6, 2]),
    "cxc_t2i": np.array([1, 3, 2, 1, 1]),
}


def test_right_arrays_have_no_problem() -> None:
    """A rank after all candidates is that of a positive that is none of them."""
    assert list(problems(RIGHT, SIZES)) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"cxc_t2i": np.array([1, 4, 2, 1, 1])}, ("cxc_t2i out of range", "1 to 4", "1 to 3, the candidates by the sizes")),
        ({"cxc_i2t": np.array([0, 4, 2])}, ("cxc_i2t out of range", "0 to 4", "1 to 6, the candidates by the sizes")),
        ({"cxc_i2t": np.array([1, 4])}, ("cxc_i2t", "2", "3, the queries by the record's sizes")),
        ({"cxc_i2t": np.ones((3, 1), int)}, ("cxc_i2t", "int64 of shape [3, 1]", "integers of 1 dimensions")),
        ({"eccv_i2t": np.ones((2, 2))}, ("eccv_i2t", "float64 of shape [2, 2]", "integers of 2 dimensions")),
        ({"eccv_i2t": np.array([[2, 1], [1, 0]])}, ("eccv_i2t, query 0", "[2, 1]", "ascending ranks, then zeros")),
        ({"other": np.ones(3, int)}, ("arrays", ", ".join(sorted({*RIGHT, "other"})), " and ".join(RIGHT))),
    ],
)
def test_wrong_arrays(changed: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert list(problems(RIGHT | changed, SIZES)) == [expected]


def test_a_missing_array() -> None:
    found = [what for what, _, _ in problems({name: RIGHT[name] for name in ("eccv_i2t", "cxc_t2i")}, SIZES)]
    assert found == ["arrays"]


def test_units_belong_to_the_split() -> None:
    units = {name: np.zeros(SIZES[name], int) for name in RIGHT}
    assert list(unit_problems(units, SIZES)) == []
    assert len(list(unit_problems(units | {"cxc_i2t": np.zeros(2, int)}, SIZES))) == 1


@pytest.mark.parametrize("change", [{"images": 1}, {"eccv_i2t": 0}, {"cxc_t2i": 7}, {"more": 1}])
def test_impossible_sizes(change: dict[str, int]) -> None:
    assert list(record_problems(SIZES)) == []
    assert len(list(record_problems(SIZES | change))) == 1
