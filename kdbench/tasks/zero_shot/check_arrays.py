"""Checks the stored ranks and classes of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray


def problems(arrays: Mapping[str, NDArray[Any]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields problems of `rank` [N], integers from 1 to C, and `class` [N], integers from 0 to C - 1, of N images and C
    classes."""
    images, classes = sizes["images"], sizes["classes"]
    if arrays.keys() != {"rank", "class"}:
        yield "arrays", ", ".join(sorted(arrays)) or "none", "rank and class"
    for name, lowest, highest in (("rank", 1, classes), ("class", 0, classes - 1)):
        found = arrays.get(name)
        if found is None:
            continue
        if found.ndim != 1 or found.dtype.kind not in "iu":
            yield name, f"{found.dtype} of shape {list(found.shape)}", "one-dimensional integers"
        elif len(found) != images:
            yield name, str(len(found)), f"{images}, the images by the record's sizes"
        elif found.min() < lowest or found.max() > highest:
            yield f"{name} out of range", f"{found.min()} to {found.max()}", f"{lowest} to {highest}, by the record's sizes"
