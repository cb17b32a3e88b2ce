"""What is wrong with a dataset of right and wrong captions is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kdbench import Split, SplitName
from kdbench.tasks.compositional.check_dataset import problems
from kdbench.testing.compositional import Swapped

KINDS = "a KIND is add_att, add_obj, replace_att, replace_obj, replace_rel, swap_att, swap_obj"
IDS = f"KIND/ITEM, both captions of an item alike; {KINDS}"


class Changed(Swapped):
    def __init__(self, change: Callable[[Split], dict[str, Any]]) -> None:
        self.change = change

    def split(self, name: SplitName) -> Split:
        found = super().split(name)
        return replace(found, **self.change(found)) if name == "test" else found


def put(values: Any, place: int, value: Any) -> Any:
    found = values.copy()
    found[place] = value
    return found


def test_the_kits_example_has_no_problem() -> None:
    assert list(problems(Swapped())) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda it: {"captions": it.captions[:-1], "caption_concepts": it.caption_concepts[:-1], "caption_ids": ()},
            ("test split", "23 captions", "pairs, a right and a wrong one for each item"),
        ),
        (
            lambda it: {"caption_concepts": put(it.caption_concepts, 3, it.image_concepts[0])},
            ("test split, caption 3", "the concept of an image", "one that no image has: it is the wrong caption of a pair"),
        ),
        (
            lambda it: {
                "caption_concepts": np.concatenate([it.caption_concepts, [-1, -1]]),
                "captions": [*it.captions, "right", "wrong"],
                "caption_ids": [*it.caption_ids, "swap_obj/x#0", "swap_obj/x#1"],
            },
            ("test split, caption 24", "no image", "an image of each caption's concept"),
        ),
        (
            lambda it: {"image_concepts": put(it.image_concepts, 1, it.image_concepts[0])},
            ("test split, image_concepts", "two images of one concept", "a concept of its own for each image"),
        ),
        (lambda it: {"caption_ids": put(it.caption_ids, 2, "add/1#0")}, ("test split, caption_ids", "'add/1#0'", IDS)),
        (lambda _: {"caption_ids": ()}, ("test split, caption_ids", "no pairs of a kind", IDS)),
        (
            lambda _: {"caption_ids": [f"add_att/{place}" for place in range(24)]},
            ("test split, caption_ids", "no item of add_obj", "at least one of each kind"),
        ),
        (lambda it: {"captions": put(it.captions, 1, " ")}, ("test split, caption 1", "' '", "a string that is not empty")),
    ],
)
def test_wrong_splits(change: Callable[[Split], dict[str, Any]], expected: tuple[str, str, str]) -> None:
    assert expected in list(problems(Changed(change)))
