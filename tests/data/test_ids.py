"""Ids of a split: read once, when needed, and unique."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from kdbench import PluginError, Split
from kdbench.data.ids import Ids


def split_of(image_ids: Sequence[str] = (), caption_ids: Sequence[str] = ()) -> Split:
    images, concepts = [np.zeros((2, 2, 3), np.uint8)] * 2, np.arange(3)
    return Split(images, ["a", "b", "c"], concepts[:2], concepts, image_ids=image_ids, caption_ids=caption_ids)


def test_they_are_read_when_needed_and_once() -> None:
    read: list[str] = []

    def listed() -> Split:
        read.append("")
        return split_of(["x", "y"], ["x#0", "y#0", "y#1"])

    images, captions = Ids(listed, "image", "train"), Ids(listed, "text", "train")
    assert not read
    assert (list(images), captions[1:], images[-1], len(captions)) == (["x", "y"], ["y#0", "y#1"], "y", 3)
    assert len(read) == 2


def test_a_dataset_without_ids_has_none() -> None:
    assert list(Ids(split_of, "image", "train")) == []


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["x"], "the test split, image_ids: found 1 ids; expected 2, one for each image"),
        (["x", "x"], "the test split, image_ids: found 1 ids more than once, such as 'x'; expected each once"),
    ],
)
def test_ids_that_do_not_tell_images_apart_are_refused(ids: list[str], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        len(Ids(lambda: split_of(ids), "image", "test"))
