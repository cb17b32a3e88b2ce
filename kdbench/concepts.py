"""What a test split's images and captions show: one small file beside the records that were ranked on it.

Ranks alone do not say which captions belong to which image; whoever resamples test images has to know.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from kdbench.cache import file_digest
from kdbench.errors import RecordError

SUFFIX = ".concepts.npz"
Ints = NDArray[np.int64]
HEADER = 4096  # bytes that an array file may have beside its numbers


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
    limit = 8 * max(sizes["images"], sizes["captions"]) + HEADER
    try:
        with ZipFile(io.BytesIO(content)) as members:
            if max(member.file_size for member in members.infolist()) > limit:
                raise RecordError(f"it unpacks to more than {limit} bytes")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            images, captions = _whole(arrays["images"]), _whole(arrays["captions"])
    except (OSError, ValueError, KeyError, EOFError, MemoryError, BadZipFile) as error:
        raise RecordError(f"cannot be read ({error})") from error
    found = {"images": len(images), "captions": len(captions), "concepts": len(np.union1d(images, captions))}
    if found != sizes:
        raise RecordError(f"it is of {found}, the records' test split of {sizes}")
    return images, captions


def _whole(values: NDArray[Any]) -> Ints:
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise RecordError(f"found {values.dtype} of shape {list(values.shape)}, expected whole numbers in a row")
    return values.astype(np.int64)
