"""Checks stored retrieval ranks, test units and a record's metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXACT = 1e-9
SIZES = {"images", "captions", "concepts"}


def problems(
    arrays: Mapping[str, NDArray[Any]], sizes: Mapping[str, int], positives: bool = False
) -> Iterator[tuple[str, str, str]]:
    """Yields problems of the ranks `text` [N] and `image` [M]: integers, one per query, from 1 to the number of candidates.

    With `positives`, also of the ranks of all positives, `text_positives` [N, P] and `image_positives` [M, P'].
    """
    images, captions = sizes["images"], sizes["captions"]
    sides = ("text", "image")
    yield from _others(arrays, (*sides, *(f"{name}_positives" for name in sides)) if positives else sides)
    for name, queries, candidates in (("text", images, captions), ("image", captions, images)):
        found = arrays.get(name)
        if found is None:
            continue
        if found.ndim != 1 or found.dtype.kind not in "iu":
            yield f"{name} ranks", f"{found.dtype} of shape {list(found.shape)}", "one-dimensional integers"
        elif len(found) != queries:
            yield f"{name} ranks", str(len(found)), f"{queries}, the queries by the record's sizes"
        elif found.min() < 1 or found.max() > candidates:
            expected = f"1 to {candidates}, the candidates by the record's sizes"
            yield f"{name} ranks out of range", f"{found.min()} to {found.max()}", expected
        elif positives and f"{name}_positives" in arrays:
            yield from ranks_of_positives(f"ranks of all {name} positives", arrays[f"{name}_positives"], found, candidates)


def ranks_of_positives(name: str, found: NDArray[Any], best: NDArray[Any], candidates: int) -> Iterator[tuple[str, str, str]]:
    """Yields problems of the ranks of all positives [Q, P], whose first are `best` [Q]."""
    if found.ndim != 2 or found.dtype.kind not in "iu" or len(found) != len(best):
        yield name, f"{found.dtype} of shape {list(found.shape)}", f"two-dimensional integers, {len(best)} rows"
    elif found.min() < 0 or found.max() > candidates:
        yield f"{name} out of range", f"{found.min()} to {found.max()}", f"1 to {candidates}, or 0 after the last"
    elif (found[:, 0] != best).any():
        row = int(np.flatnonzero(found[:, 0] != best)[0])
        yield f"{name}, query {row}", f"{found[row, 0]} first", f"{best[row]}, its retrieval rank"
    elif (wrong := ((found[:, 1:] > 0) & ((found[:, 1:] <= found[:, :-1]) | (found[:, :-1] == 0))).any(axis=1)).any():
        row = int(np.flatnonzero(wrong)[0])
        yield f"{name}, query {row}", str(found[row].tolist()), "ascending ranks, then zeros"


def unit_problems(units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields problems of the concepts of images [N] and captions [M]: their numbers must match the record's sizes."""
    wrong = list(_others(units, ("images", "captions")))
    if wrong:
        yield from wrong
        return
    found = {name: len(units[name]) for name in ("images", "captions")}
    found["concepts"] = len(np.union1d(units["images"], units["captions"]))
    if found != sizes:
        yield "units of another split", str(found), f"{dict(sizes)}, by the record's sizes"


def _others(arrays: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yields missing and unexpected arrays."""
    if arrays.keys() != set(names):
        yield "arrays", ", ".join(sorted(arrays)) or "none", " and ".join(names)


def record_problems(metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Yields impossible sizes, and sums that do not follow from the recalls."""
    if sizes and (set(sizes) != SIZES or not 1 <= sizes["concepts"] <= min(sizes["images"], sizes["captions"])):
        yield (
            "sizes of the test split",
            repr(dict(sizes)),
            "images, captions and at most as many concepts",
        )
    shares = [value for name, value in metrics.items() if "_recall@" in name]
    if not shares:
        return
    total = 100 * sum(shares)
    for name, value in {"rsum": total, "mean_recall": total / len(shares)}.items():
        if not abs(metrics[name] - value) <= EXACT:
            yield f"{name} does not follow from the recalls", repr(metrics[name]), repr(value)
