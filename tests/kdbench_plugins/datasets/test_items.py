"""Keys of images: the whole name, in one order for every form."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.items import Item, in_order, key_of
from tests.support.fuzzing import some

PATHS = st.lists(st.text("ab.-0", min_size=1, max_size=4), min_size=1, max_size=3).map("/".join)


@given(PATHS, PATHS)
@some
def test_keys_are_equal_where_names_are(one: str, other: str) -> None:
    assert (key_of(one) == key_of(other)) == (one == other)
    assert key_of(one, "more") != key_of(one)


@given(st.sets(st.text("ab.-0", min_size=1, max_size=4), max_size=6))
@some
def test_folders_and_suffixes_change_no_order(stems: set[str]) -> None:
    """Shards name images without folders; one form has .jpg where another has .png."""
    orders = [sorted(stems, key=lambda stem: key_of(form.format(stem))) for form in ("{}.jpg", "images/{}.png", "a.b/{}.webp")]
    assert all(order == sorted(stems) for order in orders)


def item(key: str, split: str = "train", **more: str) -> Item:
    return Item(key_of(key), split, ("a",), FileBlob(Path("/pictures") / key), **more)  # type: ignore[arg-type]


REST = [item("v.jpg", "validation"), item("t.jpg", "test")]


def test_images_of_one_stem() -> None:
    found = in_order([item("photo.2.jpg"), item("photo.1.png"), item("b/photo.1.jpg"), item("photo.1.jpg"), *REST], "it")
    assert [entry.blob.source.removeprefix("/pictures/") for entry in found] == [
        "photo.1.jpg", "photo.1.png", "b/photo.1.jpg", "photo.2.jpg", "t.jpg", "v.jpg",
    ]  # fmt: skip
    assert len({entry.group for entry in found}) == 6


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (item("photo.1.jpg"), "it: found 1 image twice: image 'photo.1': train"),
        (item("photo.1.jpg", "test"), "it: found 1 image in two splits, which would leak: image 'photo.1': train"),
        (item("2.jpg", image_id="7"), "twice: image id '7': train"),
    ],
)
def test_repeated(other: Item, told: str) -> None:
    with pytest.raises(KdbenchError, match=told):
        in_order([item("photo.1.jpg", image_id="7"), *REST, other], "it")


def test_missing_ids_are_not_repeated() -> None:
    assert len(in_order([item("1.jpg"), item("2.jpg"), *REST], "it")) == 4


def test_ids_are_file_names_without_folders() -> None:
    """The same in all forms, which have different folders; captions count from 0, as in Flickr30k's own file."""
    captions = ("a", "b")
    for key in (key_of("val2014/COCO_1.jpg"), key_of("COCO_1.jpg", "digest"), ("COCO_1.jpg",)):
        one = Item(key, "train", captions, FileBlob(Path("/pictures/COCO_1.jpg")))
        assert (one.id, one.caption_ids) == ("COCO_1.jpg", ["COCO_1.jpg#0", "COCO_1.jpg#1"])
    assert Item(("a/b.jpg",), "train", captions, FileBlob(Path("/a/b.jpg"))).id == "a/b.jpg"  # a path in a table
