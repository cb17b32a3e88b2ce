"""What the border says of a value that breaks a contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdbench import PluginError
from kdbench.contracts.border import checked_tensor, described, owner, refused, required

shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


class Mine:
    table = 3

    def weigh(self) -> None: ...


def test_a_plugin_is_named_by_module_and_class() -> None:
    assert owner(Mine()) == owner(Mine) == f"{__name__}.Mine"
    assert str(refused(Mine(), "weigh", "3", "a tensor", "try again")) == (
        f"{__name__}.Mine.weigh: found 3, expected a tensor; try again"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.zeros(2, 3), "float32 of shape [2, 3]"),
        (torch.tensor(1), "int64 of shape []"),
        (np.zeros(2), "numpy.ndarray, float64 of shape [2]"),
        (None, "None"),
        ([1, 2], "list of 2"),
        ({}, "dict"),
        (0.5, "0.5"),
        ("x" * 99, "'" + "x" * 56 + "..."),
        (Mine(), "Mine"),
    ],
)
def test_values_are_described_shortly(value: Any, text: str) -> None:
    assert described(value) == text


@given(
    shapes, st.lists(st.lists(st.none() | st.integers(0, 3), max_size=3), min_size=1, max_size=2), st.booleans(), st.booleans()
)
def test_exactly_tensors_of_a_wanted_shape_and_kind_pass(
    shape: tuple[int, ...], wanted: list[list[int | None]], whole: bool, floats: bool
) -> None:
    value = torch.zeros(shape, dtype=torch.int64 if whole else torch.float32)
    fits = any(len(one) == len(shape) and all(a in (None, b) for a, b in zip(one, shape, strict=True)) for one in wanted)
    if fits and not (whole and floats):
        assert checked_tensor(value, Mine(), "weigh", *wanted, floats=floats) is value
    else:
        with pytest.raises(PluginError, match=r"Mine\.weigh: found .*, expected "):
            checked_tensor(value, Mine(), "weigh", *wanted, floats=floats)


@pytest.mark.parametrize("value", [None, 0.5, [0.5], np.zeros(2, dtype=np.float32), "tensor"])
def test_what_is_no_tensor_is_refused(value: Any) -> None:
    with pytest.raises(PluginError, match=r"expected a torch tensor of shape \[2\] or \[2, \?\]"):
        checked_tensor(value, Mine(), "weigh", [2], [2, None])


def test_required_methods() -> None:
    required(Mine(), "a strategy", ["weigh"])
    with pytest.raises(PluginError, match=r"Mine\.table: found 3, expected a method, which a strategy must have"):
        required(Mine(), "a strategy", ["weigh", "table"])
    with pytest.raises(PluginError, match=r"Mine\.head: found nothing, expected a method"):
        required(Mine(), "an objective", ["head"])
