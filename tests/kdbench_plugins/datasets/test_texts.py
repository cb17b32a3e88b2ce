"""Cells that hold lists, ids, and what stands for nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench_plugins.datasets.texts import MISSING, caption_fault, id_of, list_in, name_fault
from tests.support.fuzzing import some
from tests.support.table_inputs import CAPTIONS, NO_CAPTIONS


@given(st.lists(st.text("ab '\"[](),\\\n😀", max_size=6), min_size=1, max_size=3))
@some
def test_lists_in_other_notation_are_no_captions(texts: list[str]) -> None:
    """Whole, truncated and as a tuple: whatever the strings hold."""
    written = repr(texts)
    assert caption_fault(written)
    assert caption_fault(written[:-1])
    assert caption_fault(repr((*texts, "b")))
    assert caption_fault(repr({"raw": texts[0]}))


@given(
    st.one_of(st.lists(st.one_of(st.integers(), st.floats(-1e9, 1e9).map(lambda x: round(x, 3)))), st.sampled_from([(), {}]))
)
def test_an_empty_list_or_one_of_numbers_is_no_caption(written: object) -> None:
    """As a table has it where the lists of captions were lost."""
    assume("e" not in repr(written))
    assert "a list as text" in caption_fault(repr(written))


@pytest.mark.parametrize("text", CAPTIONS)
def test_captions(text: str) -> None:
    assert caption_fault(text.strip()) == ""
    assert caption_fault("\ud83d" + text.strip()) != ""


@pytest.mark.parametrize("text", [text for text in NO_CAPTIONS if text.strip() and len(text) < 5000])
def test_no_captions(text: str) -> None:
    assert caption_fault(text) != ""


def test_json_lists_in_cells() -> None:
    assert list_in(' ["a", "b"]') == ["a", "b"]
    for cell in ("['a']", "[a]", "a", None, 7, ["a"]):
        assert list_in(cell) == cell


@pytest.mark.parametrize(("value", "expected"), [(3, "3"), (" a ", "a"), (3.0, "3"), (float("nan"), ""), (None, ""), ("", "")])
def test_ids(value: Any, expected: str) -> None:
    assert id_of(value, "here") == expected


@pytest.mark.parametrize("value", [True, 1.5, [1], {"a": 1}, "\ud83d"])
def test_no_ids(value: Any) -> None:
    with pytest.raises(KdbenchError, match="here: image id"):
        id_of(value, "here")


@pytest.mark.parametrize("word", sorted(MISSING))
def test_words_for_a_missing_value(word: str) -> None:
    assert id_of(word.upper(), "here") == ""
    assert "stands for a missing value" in caption_fault(word)
    assert "stands for a missing value" in name_fault(f" {word.upper()} ")
    assert name_fault(f"{word}.jpg") == ""
