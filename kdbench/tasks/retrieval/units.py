"""Test units, by which queries are resampled: an image with its captions, or a concept with all its images and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval.positives import map_at_r, r_precision

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Units:
    """The unit of every query, from 0 to `count` - 1: `images` [N] and `captions` [M]. `note` states assumptions."""

    images: Ints
    captions: Ints
    count: int
    note: str = ""

    def sums(self, hits: NDArray[Any], of: Literal["images", "captions"]) -> NDArray[Any]:
        """Hits (or shares, 0 to 1) [..., Q] summed by unit, [..., U]; zero for a unit without such queries."""
        order, there, starts = self._orders[of]
        ordered = hits if order is None else hits[..., order]
        if hits.dtype == np.bool_:
            # Summed in one byte if that is enough: no copy is made.
            summed = self._counted(ordered.view(np.uint8), starts, np.uint8 if self.sizes(of).max() < 2**8 else np.int64)
        else:
            summed = np.add.reduceat(ordered, starts, axis=-1)
        if len(there) == self.count:
            return summed
        found = np.zeros((*hits.shape[:-1], self.count), summed.dtype)
        found[..., there] = summed
        return found

    @staticmethod
    def _counted(hits: NDArray[np.uint8], starts: Ints, dtype: type[np.integer[Any]]) -> NDArray[Any]:
        """Whole columns are added if units have equal numbers of queries, which is ten times as fast."""
        size, rest = divmod(hits.shape[-1], len(starts))
        if rest or (np.diff(starts) != size).any():
            return np.add.reduceat(hits, starts, axis=-1, dtype=dtype)
        columns = np.asfortranarray(hits.reshape(-1, size))
        counts: NDArray[Any] = columns.sum(axis=1, dtype=dtype)
        return counts.reshape(*hits.shape[:-1], len(starts))

    def sizes(self, of: Literal["images", "captions"]) -> NDArray[np.int64]:
        """The number of queries of each unit, [U]."""
        return self._sizes[of]

    @cached_property
    def _sizes(self) -> dict[str, Ints]:
        return {name: np.bincount(getattr(self, name), minlength=self.count) for name in ("images", "captions")}

    @cached_property
    def _orders(self) -> dict[str, tuple[Ints | None, Ints, Ints]]:
        """Query indices sorted by unit (None if they already are), the units with queries, and the start of each."""
        orders: dict[str, tuple[Ints | None, Ints, Ints]] = {}
        for name, unit in (("images", self.images), ("captions", self.captions)):
            sorted_ = bool((unit[1:] >= unit[:-1]).all())
            order = None if sorted_ else np.argsort(unit, kind="stable")
            there, starts = np.unique(unit if order is None else unit[order], return_index=True)
            orders[name] = order, there, starts
        return orders


def units_of(sizes: Mapping[str, int], given: tuple[NDArray[Any], NDArray[Any]] | None = None) -> Units:
    """The units of a test split with `sizes["images"]` N and `sizes["captions"]` M.

    `given` are the units of its images [N] and of its captions [M] as arbitrary integers, such as a split's concepts. Without
    them, Karpathy's layout is assumed if it fits (M a multiple of N, one concept per image, captions in the order of images);
    otherwise every query is a unit. Raises KdbenchError if `given` has another number of queries.
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
        note = f"captions are assumed to be in the order of images, {each} per image (Karpathy's layout)"
        return Units(np.arange(n), np.arange(m) // each, n, note)
    note = "it is unknown which captions belong to which image: intervals treat queries as independent and may be too narrow"
    return Units(np.arange(n), n + np.arange(m), n + m, note)


def contributions(text: NDArray[Any], image: NDArray[Any], units: Units, recall_at: Sequence[int]) -> dict[str, Floats]:
    """Metric → [S, U], R@K in percent, from ranks [S, N] and [S, M]. The mean over units equals each seed's metric exactly.

    If units have unequal numbers of captions, R@K is a ratio of hits to queries; a unit's value is then the linear part of its
    influence on that ratio. The number of a unit's captions alone does not make its value high or low.
    """
    found = {f"image_retrieval_recall@{k}": unit_shares(image <= k, units, "captions") for k in recall_at}
    found |= {f"text_retrieval_recall@{k}": unit_shares(text <= k, units, "images") for k in recall_at}
    total = np.sum(list(found.values()), axis=0)
    logs = [unit_shares(np.log(text), units, "images", 1), unit_shares(np.log(image), units, "captions", 1)]
    return found | {"rsum": total, "mean_recall": total / len(found), "log_rank": (logs[0] + logs[1]) / 2}


def positives_contributions(text_positives: NDArray[Any], image_positives: NDArray[Any], units: Units) -> dict[str, Floats]:
    """The same for mAP@R and R-Precision, from the ranks of all positives, [S, N, P] and [S, M, P']."""
    sides: tuple[tuple[str, NDArray[Any], Literal["images", "captions"]], ...] = (
        ("image", image_positives, "captions"),
        ("text", text_positives, "images"),
    )
    found = {f"{target}_retrieval_map@r": unit_shares(map_at_r(ranks), units, of) for target, ranks, of in sides}
    return found | {
        f"{target}_retrieval_r_precision": unit_shares(r_precision(ranks), units, of) for target, ranks, of in sides
    }


def unit_shares(hits: NDArray[Any], units: Units, of: Literal["images", "captions"], scale: float = 100) -> Floats:
    """[S, U], by default in percent, from a value of each query [S, Q] (hits, shares from 0 to 1, logarithms of ranks): the
    linear part of each unit's influence on their mean."""
    total = np.count_nonzero(hits) if hits.dtype == np.bool_ else hits.sum()
    mean = float(total) / hits.size
    shares: Floats = units.sums(hits, of) - mean * units.sizes(of)
    shares *= units.count / hits.shape[1]
    shares += mean
    shares *= scale
    return shares
