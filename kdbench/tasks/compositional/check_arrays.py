"""Checks stored answers, kinds and test units of compositional pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.compositional.metrics import KINDS


def problems(arrays: Mapping[str, NDArray[Any]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields problems of `correct` [I], 0 or 1, and `kind` [I], positions in KINDS, each of which has an item."""
    if arrays.keys() != {"correct", "kind"}:
        yield "arrays", ", ".join(sorted(arrays)) or "none", "correct and kind"
    for name, highest in (("correct", 1), ("kind", len(KINDS) - 1)):
        found = arrays.get(name)
        if found is None:
            continue
        if found.ndim != 1 or found.dtype.kind not in "iu":
            yield name, f"{found.dtype} of shape {list(found.shape)}", "one-dimensional integers"
        elif len(found) != sizes["items"]:
            yield name, str(len(found)), f"{sizes['items']}, the items by the record's sizes"
        elif found.min() < 0 or found.max() > highest:
            yield f"{name} out of range", f"{found.min()} to {found.max()}", f"0 to {highest}"
        elif name == "kind" and (missing := sorted(set(range(len(KINDS))) - set(found.tolist()))):
            yield "kind", f"no item of {KINDS[missing[0]]}", "at least one of each kind"


def unit_problems(units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields problems of `items` [I], the image of each item: their numbers must match the record's sizes."""
    if units.keys() != {"items"}:
        yield "units", ", ".join(sorted(units)) or "none", "items"
        return
    found = {"images": len(np.unique(units["items"])), "items": len(units["items"])}
    if found != sizes:
        yield "units of another split", str(found), f"{dict(sizes)}, by the record's sizes"


def record_problems(sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields impossible sizes."""
    if sizes and (set(sizes) != {"images", "items"} or not 2 <= sizes["images"] <= sizes["items"]):
        yield "sizes of the test split", repr(dict(sizes)), "at least 2 images, and no fewer items"
