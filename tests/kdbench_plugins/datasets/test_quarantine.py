"""Lists of items to leave out: whatever a source is called, its line is read back, and names its pair alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import KdbenchError, UnusableItems
from kdbench.data.prepare import Problem, write_quarantine
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.items import Item, key_of
from kdbench_plugins.datasets.quarantine import check_list, left_in, lines_of, refuse_unusable
from tests.support.fuzzing import some

NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=12) | st.sampled_from(
    ["#1.jpg", ' "a".jpg', "a\nb.jpg", "a\u2028b", "x ", "\ufeffx", "a\rb", '"', "half \udc80"]
)


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True))
@some
def test_what_is_written_is_read_back(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "list.txt"
    path.unlink(missing_ok=True)
    problems = [Problem("train", 0, name, "bad") for name in names]
    assert write_quarantine(path, problems) == len(names)
    assert write_quarantine(path, problems) == 0
    assert lines_of(path) == names


def item(root: Path, name: str, error: str = "", also: tuple[str, ...] = ()) -> Item:
    return Item(key_of(name), "train", ("a",), FileBlob(root / name), error=error, also=also)


@given(st.lists(st.sampled_from([f"{i}.jpg" for i in range(9)]), min_size=1, unique=True), st.data())
@some
def test_a_line_leaves_out_its_item_alone(names: list[str], data: st.DataObject) -> None:
    root = Path("/data")
    items = [item(root, name, also=(f"/data/{name}.txt",)) for name in names]
    chosen = data.draw(st.sets(st.sampled_from(range(len(names)))))
    ways = [
        data.draw(st.sampled_from([names[i], f"/data/{names[i]}", f"{names[i]}.txt", f"/data/{names[i]}.txt"])) for i in chosen
    ]
    assert left_in(items, ways, root, None, "it") == [item for i, item in enumerate(items) if i not in chosen]


def test_a_line_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"list.txt: no image of it is '12.jpg'; did you mean '1.jpg'"):
        left_in([item(tmp_path, "1.jpg")], ["12.jpg"], tmp_path, Path("list.txt"), "it")


def test_comments_blank_lines_and_lists_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes('\ufeff# a comment\r\n\r\n  a.jpg \r\n"not closed\n'.encode())
    assert lines_of(path) == ["a.jpg", '"not closed']
    assert lines_of(None) == []
    path.write_bytes(b"\xff")
    with pytest.raises(KdbenchError, match=r"list.txt: cannot be read \(.*expected the source of an item on each line"):
        lines_of(path)
    with pytest.raises(KdbenchError, match=r"it: quarantine: there is no file .*none.txt; make it with kdbench data check"):
        check_list(tmp_path / "none.txt", "it")


def test_all_items_with_an_error_are_told(tmp_path: Path) -> None:
    items = [item(tmp_path, f"{i}.jpg", error=f"{i} is wrong" if i % 2 else "") for i in range(20)]
    with pytest.raises(UnusableItems) as caught:
        refuse_unusable(items, "dataset it")
    assert list(caught.value.items) == [str(tmp_path / f"{i}.jpg") for i in range(1, 20, 2)]
    told = (
        "dataset it: found 10 items that cannot be used: 1 is wrong; 3 is wrong; 5 is wrong; 7 is wrong; 9 is wrong; and 5 more"
    )
    assert str(caught.value).startswith(told)
