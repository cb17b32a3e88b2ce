"""Retrieval ranks in both directions from one pass of float32 scores, equal to those of `ranks`, which sums in float64.

A score in float32 is off by at most a margin that follows from the lengths of the vectors. Candidates whose score is further
than that from a query's best positive are decided by it; the few that are nearer, positives among them, are scored in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.retrieval.one_way import Ints, check_finite, check_matched, ranks, score_matrix

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

LANE = 255  # flags that are added in a byte without overflow
TILE = 4 * LANE, 8 * LANE  # images and captions of a tile, whose scores stay in a cache
PAIRS = 4096  # scored in float64 at a time
DENSE = 0.05  # of all pairs, or of those of a tile: if more are to be scored in float64, a matrix product is faster
UNIT = 2.0**-24  # the relative error of an operation in float32
LARGEST = 1e37  # of a score or a length: float32 ends near 3e38


def ranks_both_ways(
    images: NDArray[Any], texts: NDArray[Any], image_concepts: Ints, caption_concepts: Ints
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The ranks of texts retrieved by images [N], and of images retrieved by texts [M], from embeddings [N, d] and [M, d].

    Raises ValueError as `ranks` does. Takes about 100 MB beside the embeddings in float32, whatever N and M are.
    """
    check_finite(images, texts)
    check_matched(image_concepts, caption_concepts)
    check_matched(caption_concepts, image_concepts)
    positives = _Positives(image_concepts, caption_concepts)
    lengths = _longest(images), _longest(texts)
    scale = lengths[0] * lengths[1]
    if positives.count > DENSE * len(images) * len(texts) or not max(scale, *lengths) < LARGEST:
        return ranks(images, texts, image_concepts, caption_concepts), ranks(texts, images, caption_concepts, image_concepts)
    rows, columns = _Side(images, image_concepts), _Side(texts, caption_concepts)
    for some, their in positives.pairs():
        scores = _exact(images, texts, some, their)
        np.maximum.at(rows.best, some, scores)
        np.maximum.at(columns.best, their, scores)
    # A sum of d products, in any order, is off by at most d·UNIT times the product of the lengths (Higham, Accuracy and
    # Stability of Numerical Algorithms, §3.1); the inputs, the score in float64, this line and the bounds are rounded as well.
    # Products and inputs below 2^-126 may become 0.
    margin = (1.01 * images.shape[1] + 16) * (UNIT * scale + 2.0**-126 * (1 + sum(lengths)))
    rows.bound(margin)
    columns.bound(margin)
    tiles = _Tiles(rows, columns)
    for top in range(0, len(images), TILE[0]):
        for left in range(0, len(texts), TILE[1]):
            tiles.add(slice(top, min(top + TILE[0], len(images))), slice(left, min(left + TILE[1], len(texts))))
    return rows.better + np.int32(1), columns.better + np.int32(1)


class _Side:
    """Images or captions as queries: the best positive's score of each, and the number of negatives scored at least as high."""

    def __init__(self, embeddings: NDArray[Any], concepts: Ints) -> None:
        self.embeddings, self.concepts = embeddings, concepts
        self.rounded = np.ascontiguousarray(embeddings, dtype=np.float32)
        self.best = np.full(len(concepts), -np.inf, dtype=np.float32)
        self.better = np.zeros(len(concepts), dtype=np.int32)

    def bound(self, margin: float) -> None:
        """Sets the float32 scores above which a candidate is better than the best positive, and below which it is worse."""
        best = self.best.astype(np.float64)
        self.high = np.nextafter((best + margin).astype(np.float32), np.float32(np.inf))
        self.low = np.nextafter((best - margin).astype(np.float32), np.float32(-np.inf))


class _Positives:
    """The pairs of an image and a caption of one concept."""

    def __init__(self, image_concepts: Ints, caption_concepts: Ints) -> None:
        self.order = np.argsort(caption_concepts, kind="stable")
        ordered = caption_concepts[self.order]
        self.first = np.searchsorted(ordered, image_concepts, side="left")
        self.counts = np.searchsorted(ordered, image_concepts, side="right") - self.first
        self.count = int(self.counts.sum())

    def pairs(self) -> Iterator[tuple[Ints, Ints]]:
        """Images and captions of all pairs, [P] each, PAIRS at a time."""
        ends = np.cumsum(self.counts)
        for start in range(0, self.count, PAIRS):
            place = np.arange(start, min(start + PAIRS, self.count))
            images = np.searchsorted(ends, place, side="right")
            yield images, self.order[self.first[images] + place - (ends[images] - self.counts[images])]


class _Tiles:
    """Compares a tile of scores with the best positives of its rows and columns. Reuses its memory."""

    def __init__(self, rows: _Side, columns: _Side) -> None:
        self.rows, self.columns = rows, columns
        self.scores = np.empty(TILE, dtype=np.float32)
        self.above, self.open = np.zeros(TILE, dtype=np.bool_), np.zeros(TILE, dtype=np.bool_)

    def add(self, some: slice, others: slice) -> None:
        """Adds the negatives of a tile to those that are scored at least as high as the best positives."""
        rows, columns = self.rows, self.columns
        part = slice(0, some.stop - some.start), slice(0, others.stop - others.start)
        if part != (slice(0, TILE[0]), slice(0, TILE[1])):
            self.above.fill(False)
        scores, above, undecided = self.scores[part], self.above[part], self.open[part]
        np.matmul(rows.rounded[some], columns.rounded[others].T, out=scores)
        found, counts = [], []
        for low, high, count in (
            (rows.low[some, None], rows.high[some, None], _by_row),
            (columns.low[None, others], columns.high[None, others], _by_column),
        ):
            np.greater(scores, high, out=above)
            counts.append(count(self.above))
            np.greater_equal(scores, low, out=undecided)
            np.not_equal(undecided, above, out=undecided)
            found.append(np.flatnonzero(undecided))
        if sum(map(len, found)) > DENSE * scores.size:
            self._add_exactly(some, others)
            return
        rows.better[some] += counts[0][part[0]]
        columns.better[others] += counts[1][part[1]]
        for side, places, axis in ((rows, found[0], 0), (columns, found[1], 1)):
            for start in range(0, len(places), PAIRS):
                pairs = np.divmod(places[start : start + PAIRS], scores.shape[1])
                image, text = pairs[0] + some.start, pairs[1] + others.start
                query = (image, text)[axis]
                as_high = _exact(rows.embeddings, columns.embeddings, image, text) >= side.best[query]
                np.add.at(side.better, query[as_high & (rows.concepts[image] != columns.concepts[text])], 1)

    def _add_exactly(self, some: slice, others: slice) -> None:
        """The same by float64 scores of all pairs of the tile."""
        rows, columns = self.rows, self.columns
        scores = score_matrix(rows.embeddings[some], columns.embeddings[others])
        negative = rows.concepts[some, None] != columns.concepts[None, others]
        rows.better[some] += ((scores >= rows.best[some, None]) & negative).sum(axis=1, dtype=np.int32)
        columns.better[others] += ((scores >= columns.best[None, others]) & negative).sum(axis=0, dtype=np.int32)


def _by_row(flags: Flags) -> NDArray[np.int32]:
    """The number of flags in each row [R]: bytes are added eight at a time, LANE times at most."""
    lanes = np.add.reduce(flags.view(np.uint64), axis=1, dtype=np.uint64)
    counts: NDArray[np.int32] = lanes.view(np.uint8).reshape(len(flags), 8).sum(axis=1, dtype=np.int32)
    return counts


def _by_column(flags: Flags) -> NDArray[np.int32]:
    """The number of flags in each column [C]."""
    lanes = np.add.reduce(flags.view(np.uint8).reshape(-1, LANE, flags.shape[1]), axis=1, dtype=np.uint8)
    counts: NDArray[np.int32] = lanes.sum(axis=0, dtype=np.int32)
    return counts


def _exact(images: NDArray[Any], texts: NDArray[Any], some: Ints, others: Ints) -> Floats:
    """Scores of pairs [P], summed in float64 and rounded: the same wherever a pair stands."""
    products = images[some].astype(np.float64)
    products *= texts[others]
    found: Floats = products.sum(axis=1).astype(np.float32)
    return found


def _longest(embeddings: NDArray[Any]) -> float:
    """The largest length of a row; 0 without rows."""
    blocks = (embeddings[start : start + PAIRS].astype(np.float64) for start in range(0, len(embeddings), PAIRS))
    return float(np.sqrt(max((np.einsum("nd,nd->n", block, block).max() for block in blocks), default=0.0)))
