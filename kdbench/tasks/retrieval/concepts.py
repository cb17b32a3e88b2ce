"""What a test split's images and captions show: one small file beside the records that were ranked on it.

Ranks alone do not say which captions belong to which image; whoever resamples test images has to know.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.storage.archives import whole_numbers
from kdbench.storage.cache import file_digest

SUFFIX = ".concepts.npz"
Ints = NDArray[np.int64]


def concepts_path(record: Path, dataset_digest: str) -> Path:
    """Beside the record. Records of one dataset share it."""
    return record.with_name(f"{dataset_digest[:12]}{SUFFIX}")


def write_concepts(record: Path, dataset_digest: str, images: Ints, captions: Ints) -> str:
    """Writes the concepts of images [N] and captions [M], numbered as they come, and returns the file's sha256."""
    path = concepts_path(record, dataset_digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    _, first, codes = np.unique(np.concatenate([images, captions]), return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.uint32)
    order[np.argsort(first)] = np.arange(len(first))
    numbered = order[codes]
    partial = path.with_suffix(f".partial-{os.getpid()}")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, images=numbered[: len(images)], captions=numbered[len(images) :])
    os.replace(partial, path)
    return file_digest(path)


def read_concepts(content: bytes, sizes: dict[str, int]) -> tuple[Ints, Ints]:
    """Of a file that `write_concepts` has written, for a split of these `sizes`. Nothing is unpickled, no bomb goes off.

    Raises RecordError where the file is damaged, or of another split.
    """
    longest = max(sizes["images"], sizes["captions"])
    images, captions = (found.astype(np.int64) for found in whole_numbers(content, ("images", "captions"), longest))
    found = {"images": len(images), "captions": len(captions), "concepts": len(np.union1d(images, captions))}
    if found != sizes:
        raise RecordError(f"it is of {found}, the records' test split of {sizes}")
    return images, captions
