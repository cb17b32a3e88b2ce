"""Rows of cross-validation with retrieval ranks drawn at random: folds of unequal size, some queries hard for all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.records.measured import Measured
from kdbench.records.names import split_digest
from kdbench.suite.spec import Fold
from tests.support.rankings import DIGEST, run

CONCEPTS = (14, 16, 10)  # of each fold: an image and two captions each
FOLDS = len(CONCEPTS)


def fold_row(name: str, level: float = 3.0, seeds: Sequence[int] = (0, 1), *, draw: int = 0, **changes: Any) -> list[Measured]:
    """The runs of one row, seeds × folds."""
    spec = changes.pop("spec", {})
    runs = []
    for seed in seeds:
        for index, count in enumerate(CONCEPTS):
            hard = np.random.default_rng((99, index)).normal(size=3 * count)
            noise = np.random.default_rng((draw, seed, index)).normal(size=3 * count)
            ranks = 1 + np.floor(np.exp(level + hard + noise)).astype(int)
            text, image = np.minimum(ranks[:count], 2 * count), np.minimum(ranks[count:], count)
            fold = {"fold": {"index": index, "of": FOLDS}}
            runs.append(run(name, seed, text, image, steps=10 + index, spec=spec | fold, **changes))
    return runs


def fold_units() -> dict[str, dict[str, NDArray[np.int64]]]:
    """Of each fold by the digest of its split: captions in another order than that of Karpathy's layout."""
    found = {}
    for index, count in enumerate(CONCEPTS):
        captions = np.concatenate([np.arange(count), np.arange(count)])
        found[split_digest(DIGEST, Fold(index=index, of=FOLDS))] = {"images": np.arange(count), "captions": captions}
    return found
