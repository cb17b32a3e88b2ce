"""Diagnostics are gathered and told in the order of the file."""

from __future__ import annotations

import pytest

from kdbench.errors import SuiteError
from kdbench.suite.diagnostics import Diagnostics


def test_nothing_found_is_nothing_raised() -> None:
    Diagnostics("s.yaml", {(): 1}).raise_if_any()


def test_order_and_shape() -> None:
    problems = Diagnostics("s.yaml", {(): 1, ("train",): 4, ("seeds",): 2}, {("name",): "name=3"})
    problems.add(("train", "lr"), "fast", "a number", "such as 1e-3")
    problems.add(("seeds",), [], "a seed")
    problems.add(("name",), 3, "a string")
    with pytest.raises(SuiteError) as raised:
        problems.raise_if_any()
    assert str(raised.value) == (
        "override name=3: name\n  found     3\n  expected  a string\n"
        "s.yaml:2: seeds\n  found     []\n  expected  a seed\n"
        "s.yaml:4: train.lr\n  found     'fast'\n  expected  a number\n  such as 1e-3"
    )


def test_a_long_value_is_cut() -> None:
    problems = Diagnostics("s.yaml", {(): 1})
    problems.add(("seeds",), list(range(1000)), "fewer")
    with pytest.raises(SuiteError) as raised:
        problems.raise_if_any()
    found = str(raised.value).splitlines()[1]
    assert found.endswith("...")
    assert len(found) < 140
