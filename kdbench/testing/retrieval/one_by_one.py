"""The property of encoders that an item's output does not depend on the rest of its batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdbench.contracts import Encoder, Modality
from kdbench.contracts.encoder import reads_ids, reads_originals
from kdbench.testing.findings import Broken, furthest
from kdbench.testing.retrieval.examined_teacher import encoded, items_of, sealed

CLOSE = 1e-4
SHAPES = ((40, 40), (30, 60), (70, 35), (64, 64))  # of original pictures


def one_by_one(encoder: Encoder, modality: Modality) -> None:
    """Raises Broken unless outputs for items of a modality are the same alone, in a batch, and in another order.

    An encoder that reads original pictures is tried with pictures of several shapes as well.
    """
    what = f"{modality}s"
    _compare(encoder, items_of(modality, reads_ids(encoder)), what)
    if reads_originals(encoder):
        _compare(encoder, originals(), f"original {what}")


def originals() -> list[NDArray[np.uint8]]:
    """Pictures of several shapes, of noise, which every way of resizing and cropping shows differently."""
    draws = np.random.default_rng(7)
    return [sealed(draws.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in SHAPES]


def _compare(encoder: Encoder, items: Any, what: str) -> None:
    together = encoded(encoder, items)
    alone = torch.cat([encoded(encoder, items[position : position + 1]) for position in range(len(items))])
    backwards = encoded(encoder, items[::-1] if isinstance(items, list) else sealed(items[::-1].copy())).flip(0)
    for how, found in (("one by one", alone), ("in reverse order", backwards)):
        close = found.shape == together.shape and torch.allclose(found.double(), together.double(), rtol=0, atol=CLOSE)
        if not close:
            raise Broken(f"{len(items)} {what} {how}, against together: {furthest(found, together)}")
