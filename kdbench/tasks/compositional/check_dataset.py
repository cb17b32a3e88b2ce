"""Checks that a dataset's test split consists of items: an image, a right and a wrong caption of a known kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdbench.contracts import Dataset
from kdbench.tasks.compositional.metrics import KINDS
from kdbench.tasks.retrieval.check_dataset import Problem, captions_without_image
from kdbench.tasks.retrieval.check_dataset import problems as of_split


def problems(dataset: Dataset) -> Iterator[Problem]:
    """Yields what makes the test split unusable: what also retrieval needs, and captions that are not pairs of one item."""
    wrong = list(of_split(dataset, ("test",), lonely_captions=True))
    if wrong:
        yield from wrong
        return
    split = dataset.split("test")
    if len(split.captions) % 2:
        yield "test split", f"{len(split.captions):,} captions", "pairs, a right and a wrong one for each item"
        return
    if len(np.unique(split.image_concepts)) < len(split.images):
        yield "test split, image_concepts", "two images of one concept", "a concept of its own for each image"
    yield from captions_without_image("test", split, np.arange(0, len(split.captions), 2))
    if len(known := np.flatnonzero(np.isin(split.caption_concepts[1::2], split.image_concepts))):
        where = f"test split, caption {2 * int(known[0]) + 1}"
        yield where, "the concept of an image", "one that no image has: it is the wrong caption of a pair"
    kinds = [one.partition("/")[0] for one in split.caption_ids]
    if not kinds or set(kinds) - {*KINDS} or kinds[::2] != kinds[1::2]:
        unknown = [one for one, kind in zip(split.caption_ids, kinds, strict=True) if kind not in KINDS]
        found = repr(unknown[0]) if unknown else "no pairs of a kind"
        yield "test split, caption_ids", found, f"KIND/ITEM, both captions of an item alike; a KIND is {', '.join(KINDS)}"
    elif missing := sorted(set(KINDS) - {*kinds}):
        yield "test split, caption_ids", f"no item of {missing[0]}", "at least one of each kind"
