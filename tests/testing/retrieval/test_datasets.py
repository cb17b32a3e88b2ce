"""The kit over every first-party dataset, and over wrong ones, of which it must name the property they break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench import PLACE, Dataset, PlacedImages, Split, SplitName
from kdbench.plugins.loading import installed
from kdbench.testing import Finding, Shapes, check_dataset, conform
from kdbench.testing.retrieval.datasets import LOOKS, PROPERTIES, find

# Beside the example that the offer has.
MORE: dict[str, list[dict[str, Any]]] = {"emoji": [{"size": 32}]}
FIRST_PARTY = [
    (name, params)
    for name, listed in installed().offers("dataset").items()
    if listed.provider.startswith("kdbench:")
    for params in [None, *MORE.get(name, [])]
]


def failing(findings: list[Finding]) -> dict[str, str]:
    return {finding.property: finding.detail for finding in findings if finding.outcome == "fails"}


@pytest.mark.parametrize(("name", "params"), FIRST_PARTY)
def test_first_party_datasets_conform(name: str, params: dict[str, Any] | None) -> None:
    assert failing(conform(installed().find("dataset", name).offer, "dataset", params)) == {}


class Changed(Shapes):
    """The kit's own dataset; what is wrong derives from it and changes a split."""

    def split(self, name: SplitName) -> Split:
        return self.changed(super().split(name), name)

    def changed(self, split: Split, name: SplitName) -> Split:  # noqa: ARG002
        return split


class Shared(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:
        """The first concept of each split is numbered 100."""
        del name
        return replace(
            split, image_concepts=renumbered(split.image_concepts), caption_concepts=renumbered(split.caption_concepts)
        )


def renumbered(concepts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(concepts == concepts[0], 100, concepts)


class Uncaptioned(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:
        last = int(split.image_concepts[-1])
        kept = [place for place, concept in enumerate(split.caption_concepts) if name != "test" or concept != last]
        captions = [split.captions[place] for place in kept]
        return replace(split, captions=captions, caption_concepts=split.caption_concepts[kept])


class Unpictured(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:  # noqa: ARG002
        return replace(split, images=split.images[2:], image_concepts=split.image_concepts[2:])


class Empty(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:
        if name != "validation":
            return split
        return Split([], [], np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


class Floats(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:  # noqa: ARG002
        images: Any = [image / np.float32(255) for image in split.images]
        return replace(split, images=images)


class OneLarger(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:
        images = list(split.images)
        if name == "test":
            images[-1] = np.zeros((33, 32, 3), dtype=np.uint8)
        return replace(split, images=images)


class Flickering(Changed):
    """Pixels depend on how often they have been read."""

    reads = 0

    def changed(self, split: Split, name: SplitName) -> Split:  # noqa: ARG002
        dataset = self

        class Images(list[NDArray[np.uint8]]):
            def __getitem__(self, index: Any) -> Any:
                dataset.reads += 1
                return super().__getitem__(index) if dataset.reads < 30 else super().__getitem__(index) ^ 1

        return replace(split, images=Images(split.images))


class Wordless(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:
        return replace(split, captions=[*split.captions[:-1], " \n"]) if name == "train" else split


class Halves(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:  # noqa: ARG002
        concepts: Any = split.image_concepts.astype(np.int32)
        return replace(split, image_concepts=concepts)


class TooLong(Changed):
    def changed(self, split: Split, name: SplitName) -> Split:  # noqa: ARG002
        return replace(split, caption_concepts=np.append(split.caption_concepts, split.caption_concepts[-1:]))


class Restless(Changed):
    """Another fingerprint each time."""

    builds = 0

    def __init__(self) -> None:
        Restless.builds += 1
        self.fingerprint = f"restless {Restless.builds}"


class Reworded(Changed):
    """Other captions each time under one fingerprint."""

    builds = 0

    def __init__(self) -> None:
        Reworded.builds += 1
        self.build = Reworded.builds

    def changed(self, split: Split, name: SplitName) -> Split:  # noqa: ARG002
        return replace(split, captions=[f"{caption}, take {self.build}" for caption in split.captions])


class Tolerant(Shapes):
    def split(self, name: SplitName) -> Split:
        return super().split(name if name in ("train", "validation", "test") else "train")


class Boastful(Shapes):
    streamed = True


class Displaced(Shapes):
    """Reads the image before, where it is asked by place."""

    streamed = True

    def split(self, name: SplitName) -> Split:
        split = super().split(name)
        places = np.zeros(len(split.images), dtype=PLACE)
        places["offset"] = np.arange(len(places))
        return replace(split, images=PlacedImages(lambda *place: split.images[place[1]], [name], places))

    def read_image(self, file: Any, offset: int, size: int) -> Any:  # noqa: ARG002
        return super().split(file).images[offset - 1]


class Pictured(Changed):
    """Originals are the images with a border."""

    def changed(self, split: Split, name: SplitName) -> Split:  # noqa: ARG002
        originals = [np.pad(image, ((0, 0), (5, 5), (0, 0))) for image in split.images]
        return replace(split, originals=originals, square=lambda original: original[:, 5:-5])


class FewerOriginals(Pictured):
    def changed(self, split: Split, name: SplitName) -> Split:
        return replace(super().changed(split, name), originals=split.images[:-1], square=None)


class FlatOriginals(Pictured):
    def changed(self, split: Split, name: SplitName) -> Split:
        return replace(super().changed(split, name), originals=[image[..., 0] for image in split.images])


class OtherSquares(Pictured):
    def changed(self, split: Split, name: SplitName) -> Split:
        return replace(super().changed(split, name), square=lambda original: original[:, 4:-6])


class Unlicensed(Shapes):
    licence = ""


WHOLE = "originals are whole pictures and give the images"
WRONG: list[tuple[Callable[[], Dataset], str, str]] = [
    (Shared, "splits share no concept", "train and validation: found 1 shared concepts, such as [100]"),
    (Uncaptioned, "every image has a caption and every caption an image", "test: the images of 1 concepts"),
    (Unpictured, "every image has a caption and every caption an image", "train: the captions of 1 concepts, such as 0"),
    (Empty, "every image has a caption and every caption an image", "validation: found no concept"),
    (Floats, "images are uint8 squares of one size", "train, image 0: found float"),
    (OneLarger, "images are uint8 squares of one size", "test, image 23: found uint8 of shape (33, 32, 3)"),
    (Flickering, "images read again are the same", "other pixels"),
    (Wordless, "captions are words", "train, caption 47: found ' \\n'"),
    (Halves, "concepts are int64 and of the right lengths", "train.image_concepts: found int32 of shape (48,)"),
    (TooLong, "concepts are int64 and of the right lengths", "train.caption_concepts: found int64 of shape (49,)"),
    (Restless, "two builds are equal", "'restless "),
    (Reworded, "two builds are equal", "train: the captions of two builds differ"),
    (Tolerant, "an unknown split is an error", "expected an error"),
    (Boastful, "streamed images are read from their locations", "train: found images of type list, expected PlacedImages"),
    (
        Displaced,
        "streamed images are read from their locations",
        "train, image 0: read_image with its location returns other pixels",
    ),
    (FewerOriginals, WHOLE, "train.originals: found 47, expected 48, one for each image"),
    (FlatOriginals, WHOLE, "train, image 0: found an original of uint8 of shape [32, 32], expected"),
    (OtherSquares, WHOLE, "train, image 0: found another image by square(original)"),
    (Unlicensed, "the licence is named", "found ''"),
]


@pytest.mark.parametrize(("build", "broken", "told"), WRONG, ids=[build.__name__ for build, _, _ in WRONG])
def test_a_wrong_dataset_is_told_the_property_it_breaks(build: Callable[[], Dataset], broken: str, told: str) -> None:
    found = failing(find(build))
    assert set(found) == {broken}
    assert told in found[broken]


def test_every_property_has_a_wrong_dataset() -> None:
    assert {broken for _, broken, _ in WRONG} == set(PROPERTIES)


def test_a_right_dataset_holds_every_property() -> None:
    for right in (Changed, Pictured):
        findings = find(right)
        assert [(finding.property, finding.outcome) for finding in findings] == [(name, "holds") for name in PROPERTIES]


def test_of_many_images_a_few_are_read() -> None:
    read = []

    class Watched(Changed):
        def changed(self, split: Split, name: SplitName) -> Split:
            class Images(list[NDArray[np.uint8]]):
                def __getitem__(self, index: Any) -> Any:
                    read.append((name, index))
                    return super().__getitem__(index)

            return replace(split, images=Images(split.images))

    assert failing(find(Watched)) == {}
    for name, count in (("train", 48), ("test", 24)):
        places = {index for split, index in read if split == name}
        assert len(places) == LOOKS
        assert {0, count - 1} <= places


def test_checks_raise_with_all_that_fails_unless_waived() -> None:
    check_dataset(Shapes)
    with pytest.raises(AssertionError, match=r"1 of the properties fail:\n  the licence is named: licence: found ''"):
        check_dataset(Unlicensed)
    check_dataset(Unlicensed, waives=["the licence is named"])
