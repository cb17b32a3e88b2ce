"""Checks a dataset's attributes and indices before anything is decoded or trained. Reads no pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, get_args

import numpy as np

from kdbench.contracts import Dataset, Split, SplitName
from kdbench.errors import counted

Problem = tuple[str, str, str]  # where, found, expected
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
EXAMPLES = 3  # items named of many


def problems(dataset: Dataset, names: Sequence[SplitName] = SPLITS, lonely_captions: bool = False) -> Iterator[Problem]:
    """Yields what makes the named splits of a dataset unusable: attributes, indices, items without a match, concepts in two
    splits, a test split of a single concept. Items are named by their source if the split has sources, otherwise by their
    position. With `lonely_captions`, captions may be of no image."""
    yield from _attributes(dataset)
    splits: dict[SplitName, Split] = {}
    for name in names:
        split = dataset.split(name)
        wrong = list(_indices(name, split))
        yield from wrong
        if not wrong:
            splits[name] = split
            yield from _images_without_caption(name, split)
            yield from _weights(name, split)
            if not lonely_captions:
                yield from captions_without_image(name, split, np.arange(len(split.captions)))
            yield from _words(name, split)
    concepts = {name: _concepts(split) for name, split in splits.items()}
    for one, other in combinations(concepts, 2):
        shared = np.intersect1d(concepts[one], concepts[other])
        if len(shared):
            where = f"{other} split, {_named(splits[other], shared)}"
            yield where, f"{counted(len(shared), 'concept')} of the {one} split", "concepts of one split only"
    if "test" in concepts and len(concepts["test"]) == 1:
        yield "test split", "a single concept", "at least 2: one has no spread, so no interval can be computed"


def _attributes(dataset: object) -> Iterator[Problem]:
    size = getattr(dataset, "size", None)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        yield "size", repr(size), "the side of its square images in pixels, a positive int"
    for name in ("licence", "fingerprint"):
        value = getattr(dataset, name, None)
        if not isinstance(value, str) or not value.strip():
            yield name, repr(value), "a string that is not empty"


def _indices(name: SplitName, split: object) -> Iterator[Problem]:
    """What keeps a split from being read at all."""
    if not isinstance(split, Split):
        yield f"split({name!r})", type(split).__name__, "kdbench.Split"
        return
    for what, items in (("image", split.images), ("caption", split.captions)):
        concepts = getattr(split, f"{what}_concepts")
        where = f"{name} split, {what}_concepts"
        if not isinstance(concepts, np.ndarray) or concepts.dtype != np.int64 or concepts.ndim != 1:
            yield where, _array(concepts), "an int64 array of one dimension"
        elif len(concepts) != len(items):
            yield where, counted(len(concepts), "entry"), f"{len(items)}, one for each {what}"
        elif not len(items):
            yield f"{name} split", f"no {what}", "at least one"
    if split.sources and len(split.sources) != len(split.images):
        yield f"{name} split, sources", counted(len(split.sources), "entry"), f"{len(split.images)}, one for each image"
    for what, items, ids in (("image", split.images, split.image_ids), ("caption", split.captions, split.caption_ids)):
        if len(ids) not in (0, len(items)):
            yield f"{name} split, {what}_ids", counted(len(ids), "entry"), f"{len(items)}, one for each {what}"


def _images_without_caption(name: SplitName, split: Split) -> Iterator[Problem]:
    lonely = ~np.isin(split.image_concepts, split.caption_concepts)
    if lonely.any():
        where = f"{name} split, {_items(np.flatnonzero(lonely), 'image', split)}"
        yield where, "no caption", "at least one caption of each image's concept"


def _weights(name: SplitName, split: Split) -> Iterator[Problem]:
    if not len(split.caption_weights):
        return
    where, weights = f"{name} split, caption_weights", np.asarray(split.caption_weights, dtype=np.float64)
    if len(weights) != len(split.captions):
        yield where, counted(len(weights), "entry"), f"{len(split.captions)}, one for each caption"
    elif len(wrong := np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))):
        yield f"{where}, {_items(wrong, 'caption', split)}", f"{weights[wrong[0]]}", "finite numbers that are not negative"
    else:
        drawn = np.isin(split.image_concepts, split.caption_concepts[weights > 0])
        if not drawn.all():
            yield f"{where}, {_items(np.flatnonzero(~drawn), 'image', split)}", "0 for every caption", "one above 0"


def captions_without_image(name: SplitName, split: Split, places: Any) -> Iterator[Problem]:
    """Those of the captions at `places` whose concept no image has."""
    lonely = places[~np.isin(split.caption_concepts[places], split.image_concepts)]
    if len(lonely):
        yield f"{name} split, {_items(lonely, 'caption', split)}", "no image", "an image of each caption's concept"


def _words(name: SplitName, split: Split) -> Iterator[Problem]:
    """Captions that are no text. Those that a reader computes on access are its own business: they may be millions."""
    for index, caption in enumerate(split.captions if isinstance(split.captions, list | tuple) else ()):
        if not isinstance(caption, str) or not caption.strip():
            yield f"{name} split, caption {index}", repr(caption), "a string that is not empty"
        elif not caption.isascii() and any("\ud800" <= letter <= "\udfff" for letter in caption):
            yield f"{name} split, caption {index}", ascii(caption), "text without half of a surrogate pair"
        else:
            continue
        return


def _concepts(split: Split) -> Any:
    return np.union1d(split.image_concepts, split.caption_concepts)


def _named(split: Split, shared: Any) -> str:
    images = np.flatnonzero(np.isin(split.image_concepts, shared))
    if len(images):
        return _items(images, "image", split)
    return _items(np.flatnonzero(np.isin(split.caption_concepts, shared)), "caption", split)


def _items(places: Any, what: str, split: Split) -> str:
    """`image 3 (photos/a.jpg)`, `images 3, 5, 8 and 20 more`."""
    shown = [int(place) for place in places[:EXAMPLES]]
    sources = [f" ({split.sources[place]})" if what == "image" and split.sources else "" for place in shown]
    text = ", ".join(f"{place}{source}" for place, source in zip(shown, sources, strict=True))
    more = f" and {len(places) - len(shown):,} more" if len(places) > len(shown) else ""
    return f"{what}{'s' if len(places) > 1 else ''} {text}{more}"


def _array(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {list(value.shape)}"
    return type(value).__name__
