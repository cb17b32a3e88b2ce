"""Captions read one by one are those of the whole file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.data import captions
from kdbench.data.captions import StoredCaptions

ODD = ["", '"', "\\", '\\"', "a, b", '", "', "[", "]", "\n", "ж😀é", " ", "x" * 100, "\\\\", "\u2028", '\\", "\\']


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.integers(1, 40), st.data())
def test_they_are_the_list_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], block: int, data: st.DataObject
) -> None:
    texts = texts + ODD
    path = tmp_path_factory.mktemp("captions") / "captions.json"
    path.write_bytes(json.dumps(texts, ensure_ascii=data.draw(st.booleans())).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captions, "BLOCK", block)  # the edge of a block may lie anywhere in a string
        found = StoredCaptions(path, len(texts))
        place = data.draw(st.integers(-len(texts), len(texts) - 1))
        assert found[place] == texts[place]
    assert list(found) == texts
    assert len(found) == len(texts)
    part = data.draw(st.slices(len(texts)))
    assert found[part] == texts[part]
    assert found[:] == texts
    assert found.index("[") == texts.index("[")


def test_no_captions(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    path.write_text("[]")
    assert list(StoredCaptions(path, 0)) == StoredCaptions(path, 0)[:] == []


@pytest.mark.parametrize("count", [2, 4])
def test_a_file_of_another_number_is_an_error(tmp_path: Path, count: int) -> None:
    path = tmp_path / "captions.json"
    path.write_text('["a", "b", "c"]')
    with pytest.raises(ValueError, match=f"found 3 captions, expected {count}"):
        StoredCaptions(path, count)[0]


@pytest.mark.parametrize("place", [3, -4])
def test_there_are_none_beyond_the_ends(tmp_path: Path, place: int) -> None:
    path = tmp_path / "captions.json"
    path.write_text('["a", "b", "c"]')
    with pytest.raises(IndexError, match=f"caption {place} of 3"):
        StoredCaptions(path, 3)[place]


def test_nothing_is_read_before_one_is_asked_for(tmp_path: Path) -> None:
    assert len(StoredCaptions(tmp_path / "not there.json", 5)) == 5
