"""Checks stored ranks, test units and sizes of retrieval by judgments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.judged.judgments import MOST_POSITIVES, SETS
from kdbench.tasks.retrieval.check_arrays import ranks_of_positives

SIZES = {"images", "captions", *SETS}


def problems(arrays: Mapping[str, NDArray[Any]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields problems of the ranks by set: of all positives [Q, P] for ECCV Caption, of the best [Q] for CxC."""
    if arrays.keys() != {*SETS}:
        yield "arrays", ", ".join(sorted(arrays)) or "none", " and ".join(SETS)
    for name in SETS:
        found = arrays.get(name)
        if found is None:
            continue
        candidates = sizes["captions" if name.endswith("i2t") else "images"]
        dimensions = 2 if name.startswith("eccv") else 1
        if found.ndim != dimensions or found.dtype.kind not in "iu" or 0 in found.shape:
            yield name, f"{found.dtype} of shape {list(found.shape)}", f"integers of {dimensions} dimensions"
        elif len(found) != sizes[name]:
            yield name, str(len(found)), f"{sizes[name]}, the queries by the record's sizes"
        elif (best := found[:, 0] if dimensions == 2 else found).min() < 1 or best.max() > candidates:
            yield f"{name} out of range", f"{best.min()} to {best.max()}", f"1 to {candidates}, the candidates by the sizes"
        elif dimensions == 2:
            yield from ranks_of_positives(name, found, best, candidates + MOST_POSITIVES)  # those that are no candidates


def unit_problems(units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields problems of the image of each query, by set: their numbers must match the record's sizes."""
    found = {name: len(values) for name, values in units.items()}
    expected = {name: sizes[name] for name in SETS}
    if found != expected:
        yield "units of another split", str(found), f"{expected}, by the record's sizes"


def record_problems(sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields impossible sizes."""
    if not sizes:
        return
    fits = set(sizes) == SIZES and all(
        1 <= sizes[name] <= sizes["images" if name.endswith("i2t") else "captions"] for name in SETS
    )
    if not fits or sizes["images"] < 2:
        yield "sizes of the test split", repr(dict(sizes)), "images, captions, and at most as many queries of each set"
