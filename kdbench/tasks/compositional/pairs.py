"""Items of an image, a right and a wrong caption: which are answered rightly, and what each image contributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.compositional.metrics import ALL, KINDS, MEAN
from kdbench.tasks.retrieval.units import Units, unit_shares

Ints = NDArray[np.int64]


def right_first(
    images: NDArray[Any], captions: NDArray[Any], image_concepts: Ints, caption_concepts: Ints
) -> NDArray[np.bool_]:
    """Whether an image is more similar to its right caption than to the wrong one, of each of I items.

    `images` [N, d] and `captions` [2I, d] are unit vectors; captions 2i and 2i + 1 are the right and the wrong one of item i,
    whose image has the concept of the right one. Ties count against the model. Raises ValueError for embeddings that are not
    finite: a NaN compares false with everything.
    """
    if not (np.isfinite(images).all() and np.isfinite(captions).all()):
        raise ValueError("embeddings hold values that are not finite")
    order = np.argsort(image_concepts)
    pictures = images[order[np.searchsorted(image_concepts, caption_concepts[::2], sorter=order)]].astype(np.float64)
    # Summed in float64 and rounded, as in retrieval: equal captions then have equal scores.
    right, wrong = (
        np.einsum("id,id->i", pictures, captions[first::2].astype(np.float64)).astype(np.float32) for first in (0, 1)
    )
    found: NDArray[np.bool_] = right > wrong
    return found


def kinds_of(caption_ids: Sequence[str]) -> NDArray[np.int8]:
    """The position in KINDS of each item, [I], from the ids of its captions, such as `swap_obj/17#0`.

    Raises ValueError for an id of another form.
    """
    return np.array([KINDS.index(name.partition("/")[0]) for name in caption_ids[::2]], dtype=np.int8)


def accuracies(correct: NDArray[Any], kinds: NDArray[Any]) -> dict[str, float]:
    """The fraction of right answers, 0 to 1, of all items, of each kind, and its mean over kinds."""
    single = {kind: float(np.mean(correct[kinds == place] > 0)) for place, kind in enumerate(KINDS)}
    return {ALL: float(np.mean(correct > 0)), MEAN: sum(single.values()) / len(KINDS), **single}


def contributions(correct: NDArray[Any], kinds: NDArray[Any], units: Ints) -> dict[str, NDArray[np.float64]]:
    """Metric → [S, U] in percent, from the answers [S, I], the kinds [I] and the unit of each item, [I].

    The mean over units equals each seed's metric. Images have unequal numbers of items: a value is the linear part of a unit's
    influence on the fraction; see `unit_shares`.
    """
    count, hits = int(units.max()) + 1, correct > 0
    single = {}
    for place, kind in enumerate(KINDS):
        rows = kinds == place
        single[kind] = unit_shares(hits[:, rows], Units(units[rows], units[rows], count), "images")
    whole = unit_shares(hits, Units(units, units, count), "images")
    return {ALL: whole, MEAN: np.mean(list(single.values()), axis=0), **single}
