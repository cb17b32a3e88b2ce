"""A split whose images are files, decoded when they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from kdbench import KdbenchError, Split, SplitName, nearest
from kdbench.data.picture_file import square
from kdbench_plugins.datasets.blobs import FileBlob
from kdbench_plugins.datasets.photographs import Photographs


def of_files(
    paths: Iterable[Path],
    captions: Iterable[str],
    image_concepts: Iterable[int],
    caption_concepts: Iterable[int],
    size: int,
    image_ids: Sequence[str] = (),
    caption_ids: Sequence[str] = (),
) -> Split:
    """The split of N images and M captions with their concepts, [N] and [M], and ids, if they have some."""
    import numpy as np

    blobs = tuple(map(FileBlob, paths))
    return Split(
        images=Photographs(blobs, size),
        captions=tuple(captions),
        image_concepts=np.array(tuple(image_concepts), dtype=np.int64),
        caption_concepts=np.array(tuple(caption_concepts), dtype=np.int64),
        sources=tuple(blob.source for blob in blobs),
        originals=Photographs(blobs, None),
        square=partial(square, size=size),
        image_ids=image_ids,
        caption_ids=caption_ids,
    )


def is_test(name: SplitName, whose: str) -> bool:
    """Whether a split of a dataset that has a test split alone is that one. Raises KdbenchError for a name of no split."""
    known = get_args(SplitName)
    if name not in known:
        raise KdbenchError(f"{whose} has no split {name!r}: {nearest(name, known)}")
    return name == "test"
