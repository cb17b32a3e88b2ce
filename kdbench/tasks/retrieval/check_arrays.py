"""What is wrong with stored ranks, or with the figures of a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

EXACT = 1e-9
SIZES = {"images", "captions", "concepts"}


def problems(arrays: Mapping[str, NDArray[Any]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Of ranks `text` [N] and `image` [M]: numbers of queries and ranges."""
    images, captions = sizes["images"], sizes["captions"]
    for name, queries, candidates in (("text", images, captions), ("image", captions, images)):
        found = arrays.get(name)
        if found is None or len(found) != queries:
            count = "none" if found is None else str(len(found))
            yield f"{name} ranks", count, f"{queries}, the queries by the record's sizes"
        elif found.min() < 1 or found.max() > candidates:
            expected = f"1 to {candidates}, the candidates by the record's sizes"
            yield f"{name} ranks out of range", f"{found.min()} to {found.max()}", expected


def record_problems(metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
    """Sizes that no split has, and sums that do not follow from the recalls."""
    if sizes and (set(sizes) != SIZES or not 1 <= sizes["concepts"] <= min(sizes["images"], sizes["captions"])):
        yield "sizes of the test split", repr(dict(sizes)), "images, captions and concepts, of which there are fewest"
    shares = [value for name, value in metrics.items() if "@" in name]
    if not shares:
        return
    total = 100 * sum(shares)
    for name, value in {"rsum": total, "mean_recall": total / len(shares)}.items():
        if not abs(metrics[name] - value) <= EXACT:
            yield f"{name} does not follow from the recalls", repr(metrics[name]), repr(value)
