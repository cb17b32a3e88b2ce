"""Rows to images: the same from every form of table, and never silently other than the rules say."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench_plugins.datasets.folder_table import Columns, read_items
from tests.support.fuzzing import some
from tests.support.table_inputs import damaged, rows
from tests.support.table_properties import items_of, one_mark_less, table_agrees, write

FORMS = ["csv", "tsv", "jsonl", "json", "parquet"]


@pytest.mark.parametrize("form", FORMS)
@given(table=rows())
@some
def test_as_the_slow_reader(tmp_path: Path, form: str, table: list[dict[str, Any]]) -> None:
    table_agrees(table, tmp_path / f"t.{form}")


@given(table=rows(good=True))
@some
def test_every_form_is_one_table(tmp_path: Path, table: list[dict[str, Any]]) -> None:
    table = [{**row, "concept": str(row.get("concept"))} for row in table]
    found = []
    for form in FORMS:
        write(tmp_path / f"t.{form}", table)
        found.append(items_of(tmp_path / f"t.{form}", "concept"))
    assert all(items == found[0] for items in found)


@given(st.data())
@some
def test_a_missing_quotation_mark_swallows_no_row(tmp_path: Path, data: st.DataObject) -> None:
    one_mark_less(tmp_path / "t.csv", data.draw(rows(good=True)), lambda text: data.draw(damaged(text, '"')))


def read(path: Path, text: str, concept: str | None = None) -> Any:
    path.write_text(text, encoding="utf-8")
    return read_items(path, path.parent, Columns("image", "caption", "split", concept))


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("['a dog', 'a puppy']", "caption 1: found .*, a list as text; expected a caption, or a JSON list of captions"),
        ("[\"a dog\", 'a puppy']", "caption 1: found .*, a list as text"),
        ('["a dog", "a puppy"', "caption 1: found .*, a list as text"),
        ("['a dog'\n 'a puppy']", "caption 1: found .*, a list as text"),
        ("('a dog', 'a puppy')", "caption 1: found .*, a list as text"),
        ("{'raw': 'a dog'}", "caption 1: found .*, a list as text"),
        ("array(['a dog'])", "caption 1: found .*, a list as text"),
        ("[\"a\", \"['b', 'c']\"]", "caption 2: found .*, a list as text"),
        ("[1, 2]", "caption 1: found 1, expected a string"),
        ("[]", "has no caption"),
        ("nan", "caption 1: found 'nan', which stands for a missing value"),
        ('["a", "None"]', "caption 2: found 'None', which stands for a missing value"),
        ("<NA>", "caption 1: found '<NA>', which stands for a missing value"),
        ('["a cat", "a dog \\ud83d"]', "caption 2: found 'a dog .ud83d', with half of a surrogate pair, which is no"),
        ("a \0 dog", "caption 1: found .*, with a null character"),
    ],
)
def test_cells_that_are_no_captions(tmp_path: Path, cell: str, told: str) -> None:
    """In every form; the image is set aside with the reason, so that a list may leave it out."""
    for form in FORMS:
        path = tmp_path / f"t.{form}"
        fine = {"image": "1.jpg", "split": "train", "caption": "fine"}
        write(path, [fine, {"image": "2.jpg", "split": "test", "caption": cell}])
        _, item = read_items(path, tmp_path, Columns("image", "caption", "split", None))
        assert re.search(rf"t.{form}: row 2 \(2.jpg\):? {told}", item.error), item.error


def test_captions_that_look_like_lists(tmp_path: Path) -> None:
    cells = ["[0] once more", "[a dog]", "(a dog)", "(it's, it's)", "{a}", "a [b", '"a dog"', "[", "nan bread", "none of them"]
    stream = io.StringIO(newline="")
    rows = [[f"{number}.jpg", "train", cell] for number, cell in enumerate(cells)]
    csv.writer(stream).writerows([["image", "split", "caption"], *rows])
    assert [item.captions for item in read(tmp_path / "t.csv", stream.getvalue())] == [(cell,) for cell in cells]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"image": "\ud83d.jpg"}, "half of a surrogate pair"),
        ({"image": "a\0.jpg"}, "row 2: image: found 'a.x00.jpg', with a null character; expected the path of an image"),
        ({"image": "1.jpg "}, "row 2: image: found '1.jpg ', in an earlier row '1.jpg'; expected one name"),
        ({"concept": None}, "row 2: concept is empty"),
        ({"concept": "nan"}, "row 2: concept: found 'nan', which stands for a missing value; expected the name of a concept"),
        ({"concept": " None"}, "row 2: concept: found ' None', which stands for a missing value"),
        ({"image": "nan"}, "row 2: image: found 'nan', which stands for a missing value; expected the path of an image"),
        ({"concept": ["dog"]}, r"row 2: concept: found \['dog'\]; expected the name of a concept"),
        ({"concept": {"name": "dog"}}, "row 2: concept: found .*; expected the name of a concept"),
        ({"split": True}, "row 2: found the split True"),
    ],
)
def test_cells_that_are_no_names(tmp_path: Path, line: dict[str, Any], told: str) -> None:
    first = {"image": "1.jpg", "split": "train", "caption": "a", "concept": "dog"}
    with pytest.raises(KdbenchError, match=told) as caught:
        read(tmp_path / "t.jsonl", f"{json.dumps(first)}\n{json.dumps(first | line)}\n", "concept")
    str(caught.value).encode()


def test_concepts_are_compared_as_they_are_read(tmp_path: Path) -> None:
    """Blanks around a name and the way an accent is written make no other concept."""
    lines = [f'{{"image": "{n}.jpg", "split": "train", "caption": "a", "concept": "{name}"}}' for n, name in
             enumerate(["café", "cafe\u0301", " café "])]  # fmt: skip
    assert {item.concept for item in read(tmp_path / "t.jsonl", "\n".join(lines), "concept")} == {"café"}


def test_an_image_whose_captions_fail_in_one_row(tmp_path: Path) -> None:
    text = "image,split,caption\n1.jpg,train,a\n1.jpg,train,\n1.jpg,train,b\n"
    [item] = read(tmp_path / "t.csv", text)
    assert item.error == f"{tmp_path / 't.csv'}: row 2 (1.jpg): caption 1 is empty"


def test_paths_through_linked_folders(tmp_path: Path) -> None:
    """`link/../1.jpg` is beside the folder that the link leads to, not beside the link."""
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far" / "away")
    line = '{{"image": "{}", "split": "train", "caption": "a"}}'
    [item] = read(tmp_path / "near" / "t.jsonl", line.format("../far/./away/../1.jpg"))
    assert item.blob.source == f"{tmp_path}/near/../far/1.jpg"
    with pytest.raises(KdbenchError, match=r"row 1: image: found 'link/../1.jpg', whose .. leaves a linked folder"):
        read(tmp_path / "near" / "t.jsonl", line.format("link/../1.jpg"))
