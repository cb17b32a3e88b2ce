"""The rule for names."""

from __future__ import annotations

import re

import pytest

from kdbench.contracts.names import LONGEST, OR_NONE, WORD, is_name


@pytest.mark.parametrize(
    "name",
    ["C = 1/T", "resnet-48px + fusion", "16 views, clean teachers", "torchjd:upgrad", "7", "a" * LONGEST, "merged: TIES"],
)
def test_names(name: str) -> None:
    assert is_name(name)
    assert re.search(OR_NONE, name)


@pytest.mark.parametrize(
    "name",
    ["", " a", "=1+1", "-x", "@a", "a" * (LONGEST + 1), "é", "a\n", "a\tb", "a|b", "<b>", "$x$", "a\x1b[31m", "\u202ea", "a\0"],
)
def test_what_is_none(name: str) -> None:
    assert not is_name(name)


def test_words_are_parts_of_paths_and_commands() -> None:
    assert re.fullmatch(WORD, "emoji-views_2.0+x")
    assert not any(re.fullmatch(WORD, text) for text in ("..", "a/b", "a b", ".hidden", "a:b", "", "a" * (LONGEST + 1)))
