"""Which pattern of a map counts for a name."""

from __future__ import annotations

from itertools import permutations

from kdbench.training.patterns import closest


def test_the_longest_counts_in_any_order() -> None:
    for patterns in permutations(["*", "visual.*", "visual.?.bias", "text.*"]):
        assert closest("visual.0.bias", patterns) == "visual.?.bias"
        assert closest("visual.0.weight", patterns) == "visual.*"
        assert closest("scale", patterns) == "*"


def test_of_equally_long_ones_the_first_by_alphabet_counts() -> None:
    for patterns in (["a*", "*b"], ["*b", "a*"]):
        assert closest("ab", patterns) == "*b"


def test_none_fits() -> None:
    assert closest("text", ["visual.*", "TEXT"]) is None
    assert closest("text", []) is None
