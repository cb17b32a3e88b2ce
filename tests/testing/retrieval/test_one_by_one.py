"""A reader whose outputs depend on the batch is found, also where only original pictures show it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench import Encoder, Modality
from kdbench.testing.findings import Broken
from kdbench.testing.retrieval.one_by_one import one_by_one
from kdbench_plugins.students.readers import Resized


class Largest:
    """The height of the largest picture of the batch: of equal squares always the same."""

    modality: Modality = "image"
    base: Encoder | None = None
    key = "largest"

    def __init__(self, originals: bool) -> None:
        self.originals = originals

    def encode(self, items: Any, device: str) -> Tensor:
        return torch.full((len(items), 1), max(np.asarray(item).shape[0] for item in items), device=device)


def test_a_right_reader_passes() -> None:
    for mode in ("shortest", "longest", "squash"):
        one_by_one(Resized(24, 20, "bicubic", mode), "image")
    one_by_one(Largest(originals=False), "image")


def test_originals_are_tried_where_they_are_read() -> None:
    with pytest.raises(Broken, match="4 original images one by one, against together: found 30, expected 70"):
        one_by_one(Largest(originals=True), "image")
