"""Nearest names."""

from __future__ import annotations

import pytest

from kdbench.errors import nearest


@pytest.mark.parametrize(
    ("name", "known", "clause"),
    [
        ("eqaul", ["fixed", "equal", "random"], "did you mean 'equal'?"),
        ("zebra", ["fixed", "equal"], "known: equal, fixed"),
        ("c", ["C", "normalize"], "did you mean 'C'?"),
        ("zebra", [], ""),
        (3, ["3", "4"], "did you mean '3'?"),
    ],
)
def test_nearest(name: object, known: list[str], clause: str) -> None:
    assert nearest(name, known) == clause
