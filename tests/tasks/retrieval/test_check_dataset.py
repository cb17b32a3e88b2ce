"""A dataset's indices are checked before anything is decoded: what is wrong is named with its split and item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.contracts import Split, SplitName
from kdbench.tasks.retrieval.check_dataset import problems
from kdbench.testing import Shapes

Change = Callable[[SplitName, Split], Any]


class Changed:
    """The kit's dataset with its splits changed."""

    size, licence, fingerprint = 32, "CC0-1.0", "changed"

    def __init__(self, change: Change) -> None:
        self.change = change

    def split(self, name: SplitName) -> Any:
        return self.change(name, Shapes().split(name))


def of(name: str, **changes: Callable[[Split], Any]) -> Change:
    return lambda split, given: replace(given, **{k: f(given) for k, f in changes.items()}) if split == name else given


def as_train(name: SplitName, split: Split) -> Split:
    return Shapes().split("train") if name == "test" else split


def no_caption(split: Split) -> Any:
    """The first image's concept is one that no caption has."""
    return np.concatenate([[10**6], split.image_concepts[1:]])


LONGER: Callable[[Split], Any] = lambda split: np.append(split.image_concepts, 1)  # noqa: E731
ONE: dict[str, Callable[[Split], Any]] = {
    "images": lambda split: split.images[:1],
    "captions": lambda _: ["one"],
    "image_concepts": lambda split: split.image_concepts[:1],
    "caption_concepts": lambda split: split.image_concepts[:1],
    "image_ids": lambda split: split.image_ids[:1],
    "caption_ids": lambda split: split.caption_ids[:1],
}


def first(text: Any) -> Callable[[Split], Any]:
    """The captions with this one first."""
    return lambda split: [text, *split.captions[1:]]


def weight(first: float) -> Callable[[Split], Any]:
    """The weights of captions, the first one this, the others 1."""
    return lambda split: [first] + [1.0] * (len(split.captions) - 1)


WRONG: dict[str, tuple[Change, str, str]] = {
    "an image without caption": (of("test", image_concepts=no_caption), "test split, image 0", "no caption"),
    "a list of pairs": (lambda *_: [("image", ["caption"])], "split('train')", "list"),
    "train concepts in test": (as_train, "test split, images 0, 1, 2 and", "of the train split"),
    "an empty caption": (of("validation", captions=first("  ")), "validation split, caption 0", "'  '"),
    "a number for a caption": (of("train", captions=first(0)), "train split, caption 0", "0"),
    "half a surrogate pair": (of("train", captions=first("\ud83d")), "train split, caption 0", r"'\ud83d'"),
    "a list of concepts": (of("train", image_concepts=lambda s: s.image_concepts.tolist()), "train split, image_c", "list"),
    "short integers": (of("train", image_concepts=lambda s: s.image_concepts.astype("i4")), "train split, image_c", "int32"),
    "more concepts than images": (of("test", image_concepts=LONGER), "test split, image_concepts", "entries"),
    "one test image": (of("test", **ONE), "test split", "a single concept"),
    "sources of others": (of("train", sources=lambda _: ("a.jpg",)), "train split, sources", "1 entry"),
    "weights of others": (of("train", caption_weights=lambda _: [1.0]), "train split, caption_weights", "1 entry"),
    "a weight below 0": (of("train", caption_weights=weight(-1.0)), "train split, caption_weights, caption 0", "-1.0"),
    "no weight": (
        of("train", caption_weights=lambda s: np.zeros(len(s.captions))),
        "train split, caption_weights, im",
        "0 for",
    ),
    "an infinite weight": (of("train", caption_weights=weight(np.inf)), "train split, caption_weights, caption 0", "inf"),
    "ids of others": (of("test", caption_ids=lambda _: ["a#0"]), "test split, caption_ids", "1 entry"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named(wrong: str) -> None:
    change, where, found = WRONG[wrong]
    told = list(problems(Changed(change)))
    assert any(one[0].startswith(where) and found in one[1] for one in told), told


def test_images_are_named_by_their_source() -> None:
    def change(split: Split) -> Any:
        return tuple(f"photos/{index}.jpg" for index in range(len(split.images)))

    told = next(problems(Changed(of("test", image_concepts=no_caption, sources=change))))
    assert told[0] == "test split, image 0 (photos/0.jpg)"


@pytest.mark.parametrize("name", ["size", "licence", "fingerprint"])
@pytest.mark.parametrize("value", [None, "", 0, True])
def test_attributes(name: str, value: object) -> None:
    dataset = Changed(lambda _, split: split)
    setattr(dataset, name, value)
    assert [one[0] for one in problems(dataset)] == [name]
    assert list(problems(Changed(lambda _, split: split))) == []


@st.composite
def concepts(draw: st.DrawFn) -> dict[str, tuple[list[int], list[int]]]:
    some = st.lists(st.integers(0, 8), min_size=1, max_size=4)
    return {name: (draw(some), draw(some)) for name in ("train", "validation", "test")}


@settings(max_examples=300)
@given(concepts())
def test_only_what_fits_together_passes(given: dict[str, tuple[list[int], list[int]]]) -> None:
    """Against sets, concept by concept."""

    def change(name: SplitName, split: Split) -> Split:
        images, captions = (np.array(part, dtype=np.int64) for part in given[name])
        return Split([split.images[0]] * len(images), ["a"] * len(captions), images, captions)

    matched = all(set(images) == set(captions) for images, captions in given.values())
    union = [set(images) | set(captions) for images, captions in given.values()]
    apart = sum(map(len, union)) == len(set().union(*union))
    enough = len(union[2]) > 1
    assert (list(problems(Changed(change))) == []) == (matched and apart and enough)
