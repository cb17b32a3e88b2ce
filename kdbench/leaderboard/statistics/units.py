"""What test queries are resampled in: an image with its captions, or a concept with all its images and captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import KdbenchError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """The unit of every query, from 0 to `count` - 1: `images` [N] and `captions` [M]. `note` says what was assumed."""

    images: Ints
    captions: Ints
    count: int
    note: str = ""


def units_of(sizes: Mapping[str, int], given: tuple[NDArray[Any], NDArray[Any]] | None = None) -> Units:
    """The units of a test split with `sizes["images"]` N and `sizes["captions"]` M.

    `given` are the units of its images [N] and of its captions [M], as any integers, say a split's concepts. Without them
    Karpathy's layout is assumed where it fits (M a multiple of N, one concept an image, captions in the order of images);
    where it does not, every query is a unit. Raises KdbenchError where `given` has another number of queries.
    """
    n, m = sizes["images"], sizes["captions"]
    if given is not None:
        found = tuple(len(part) for part in given)
        if found != (n, m):
            raise KdbenchError(f"units of {found[0]} images and {found[1]} captions given, the records have {n} and {m}")
        _, codes = np.unique(np.concatenate(given), return_inverse=True)
        return Units(codes[:n].astype(np.int64), codes[n:].astype(np.int64), int(codes.max()) + 1)
    if n and m % n == 0 and sizes.get("concepts", n) == n:
        each = m // n
        note = f"captions are taken to lie in the order of images, {each} an image (Karpathy's layout)"
        return Units(np.arange(n), np.arange(m) // each, n, note)
    note = "which captions belong to which image is not known: intervals treat queries as independent, and may be too narrow"
    return Units(np.arange(n), n + np.arange(m), n + m, note)
