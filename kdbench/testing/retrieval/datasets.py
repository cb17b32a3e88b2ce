"""The properties of a dataset, tested with a few images of each split."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Dataset, SplitName
from kdbench.data.checked_items import checked_original
from kdbench.errors import PluginError
from kdbench.storage.placed_images import PlacedImages
from kdbench.testing.findings import Broken, Finding, Property, Waives, examine, insist

Build = Callable[[], Dataset]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
LOOKS = 8  # images read per split


def disjoint(build: Build) -> None:
    """No concept is in two splits: the test split has only concepts that were not trained on."""
    dataset = build()
    concepts = {name: set(dataset.split(name).image_concepts.tolist()) for name in SPLITS}
    concepts = {name: found | set(dataset.split(name).caption_concepts.tolist()) for name, found in concepts.items()}
    for one, other in combinations(SPLITS, 2):
        shared = sorted(concepts[one] & concepts[other])
        if shared:
            raise Broken(f"{one} and {other}: found {len(shared)} shared concepts, such as {shared[:3]}, expected none")


def matched(build: Build) -> None:
    """Every image has a caption and every caption an image, and no split is empty."""
    dataset = build()
    for name in SPLITS:
        split = dataset.split(name)
        images, captions = set(split.image_concepts.tolist()), set(split.caption_concepts.tolist())
        if not images and not captions:
            raise Broken(f"{name}: found no concept, expected some")
        for what, lacks, alone in (("images", "caption", images - captions), ("captions", "image", captions - images)):
            if alone:
                raise Broken(f"{name}: the {what} of {len(alone)} concepts, such as {min(alone)}, have no {lacks}")


def pictures(build: Build) -> None:
    """All images are uint8 [size, size, 3], with one size."""
    dataset = build()
    for name in SPLITS:
        images = dataset.split(name).images
        for index in _some(len(images)):
            image = images[index]
            found: Any = (getattr(image, "dtype", type(image).__name__), getattr(image, "shape", None))
            if found != (np.uint8, (dataset.size, dataset.size, 3)):
                text = f"{found[0]} of shape {found[1]}, expected uint8 of shape ({dataset.size}, {dataset.size}, 3)"
                raise Broken(f"{name}, image {index}: found {text}")


def repeatable(build: Build) -> None:
    """Images read again, in another order, are the same."""
    dataset = build()
    for name in SPLITS:
        places = _some(len(dataset.split(name).images))
        first = {index: np.array(dataset.split(name).images[index]) for index in places}
        for index in reversed(places):
            if not np.array_equal(first[index], dataset.split(name).images[index]):
                raise Broken(f"{name}, image {index}: found other pixels when it was read again, expected the same")


def worded(build: Build) -> None:
    """Captions are strings that are not empty."""
    dataset = build()
    for name in SPLITS:
        for index, caption in enumerate(dataset.split(name).captions):
            if not isinstance(caption, str) or not caption.strip():
                raise Broken(f"{name}, caption {index}: found {caption!r}, expected words")


def indexed(build: Build) -> None:
    """Concepts are int64 arrays with one entry per image or caption."""
    dataset = build()
    for name in SPLITS:
        split = dataset.split(name)
        for what, concepts, items in (
            ("image_concepts", split.image_concepts, split.images),
            ("caption_concepts", split.caption_concepts, split.captions),
        ):
            found: Any = (getattr(concepts, "dtype", type(concepts).__name__), getattr(concepts, "shape", None))
            if found != (np.int64, (len(items),)):
                raise Broken(f"{name}.{what}: found {found[0]} of shape {found[1]}, expected int64 of shape ({len(items)},)")


def equal_builds(build: Build) -> None:
    """Two builds have equal fingerprints and equal contents."""
    one, other = build(), build()
    if not isinstance(one.fingerprint, str) or not one.fingerprint or one.fingerprint != other.fingerprint:
        raise Broken(f"fingerprints: found {one.fingerprint!r} and {other.fingerprint!r}, expected the same words twice")
    for name in SPLITS:
        ours, theirs = one.split(name), other.split(name)
        for what, mine, yours in (
            ("captions", list(ours.captions), list(theirs.captions)),
            ("ids of images", list(ours.image_ids), list(theirs.image_ids)),
            ("ids of captions", list(ours.caption_ids), list(theirs.caption_ids)),
            ("image_concepts", list(ours.image_concepts), list(theirs.image_concepts)),
            ("caption_concepts", list(ours.caption_concepts), list(theirs.caption_concepts)),
            ("images", _read(ours.images), _read(theirs.images)),
        ):
            if mine != yours:
                raise Broken(f"{name}: the {what} of two builds differ, and their fingerprints do not")


def unknown_split(build: Build) -> None:
    """An unknown split raises an error."""
    unknown: Any = "no such split"
    try:
        build().split(unknown)
    except Exception:
        return
    raise Broken(f"split({unknown!r}) returned a split, expected an error with the names of the splits")


def streamed(build: Build) -> None:
    """A streamed dataset has PlacedImages, and another build reads the same images by their locations."""
    if not getattr(build(), "streamed", False):
        return
    images, other = build().split("train").images, build()
    if not isinstance(images, PlacedImages) or not hasattr(other, "read_image"):
        raise Broken(f"train: found images of type {type(images).__name__}, expected PlacedImages, and a method read_image")
    for index in _some(len(images)):
        file, offset, length = images.places[index].tolist()
        if not np.array_equal(other.read_image(images.files[file], offset, length), images[index]):
            raise Broken(f"train, image {index}: read_image with its location returns other pixels")
        pictures, reading = build().split("train").originals, getattr(other, "read_original", None)
        if len(pictures) and reading is None:
            raise Broken("train: found originals and no method read_original, expected one")
        if len(pictures) and not np.array_equal(reading(images.files[file], offset, length), pictures[index]):  # type: ignore[misc]
            raise Broken(f"train, image {index}: read_original with its location returns other pixels")


def originals(build: Build) -> None:
    """Originals are uint8 [H, W, 3], one for each image, the same when read again, and `square` makes the image of one."""
    dataset = build()
    for name in SPLITS:
        split = dataset.split(name)
        if len(split.originals) not in (0, len(split.images)):
            raise Broken(f"{name}.originals: found {len(split.originals)}, expected {len(split.images)}, one for each image")
        for index in _some(len(split.originals)) if len(split.originals) else []:
            try:
                found = checked_original(split.originals[index], f"{name}, image {index}")
            except PluginError as error:
                raise Broken(str(error)) from error
            if not np.array_equal(found, split.originals[index]):
                raise Broken(f"{name}, image {index}: found another original when it was read again, expected the same")
            if split.square is not None and not np.array_equal(split.square(found), split.images[index]):
                raise Broken(f"{name}, image {index}: found another image by square(original), expected that of images")


def licensed(build: Build) -> None:
    """The licence is named, because every record contains it."""
    licence = build().licence
    if not isinstance(licence, str) or not licence.strip():
        raise Broken(f"licence: found {licence!r}, expected the name of one")


PROPERTIES: dict[str, Property[Build]] = {
    "splits share no concept": disjoint,
    "every image has a caption and every caption an image": matched,
    "images are uint8 squares of one size": pictures,
    "images read again are the same": repeatable,
    "captions are words": worded,
    "concepts are int64 and of the right lengths": indexed,
    "two builds are equal": equal_builds,
    "an unknown split is an error": unknown_split,
    "streamed images are read from their locations": streamed,
    "originals are whole pictures and give the images": originals,
    "the licence is named": licensed,
}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about a dataset."""
    return examine(PROPERTIES, build, waives)


def check_dataset(build: Build, waives: Waives = ()) -> None:
    """Raises AssertionError that lists every property that fails."""
    insist(find(build, waives))


def _some(count: int) -> list[int]:
    """Indices spread over `count`, including both ends."""
    return sorted({round(position) for position in np.linspace(0, count - 1, min(LOOKS, count))})


def _read(images: Any) -> list[tuple[tuple[int, ...], bytes]]:
    arrays: list[NDArray[Any]] = [np.asarray(images[index]) for index in _some(len(images))]
    return [(array.shape, array.tobytes()) for array in arrays]
