"""What displays have in common."""

from __future__ import annotations

import pytest

from kdbench.cli.bars import busy, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (95, "1 min 35 s"),
        (3600, "1 h 0 min"),
        (7300, "2 h 1 min"),
        (100_000, "27 h 46 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_path_with_brackets_is_no_markup() -> None:
    with busy("checking a[/b].yaml") as status:
        assert str(status.status) == "checking a[/b].yaml"
