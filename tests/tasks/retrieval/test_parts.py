"""What a student's towers read when they are measured: images of the dataset's size and its captions, through its encoders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench import Encoder, KdbenchError, Modality
from kdbench.tasks.retrieval.parts import encoded, towers
from tests.support.toys import BEADS, toy

SAMPLES: dict[str, Any] = {
    "size": BEADS,
    "captions": ["train string red green blue red green blue", "train chain blue green blue red green red"],
}


class Halved:
    """Reads what a base made of images: numbers that float16 does not have are halved on their way."""

    modality: Modality = "image"
    key = "halved"

    def __init__(self, base: Encoder | None = None) -> None:
        self.base = base

    def encode(self, items: Any, device: str) -> Tensor:
        if self.base is None:
            return torch.full((len(items), 1), 1 / 3, device=device)
        assert isinstance(items, np.ndarray)
        assert items.dtype == np.float32
        assert not items.flags.writeable
        return torch.from_numpy(items.copy()).to(device) * 2


def test_inputs_come_by_way_of_the_base() -> None:
    third = torch.tensor(1 / 3).half().float()
    found = encoded(Halved(Halved()), np.zeros((4, BEADS, BEADS, 3), dtype=np.uint8))
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.full((4, 1), float((2 * third).half().float())))


class Watching:
    """Keeps what it is given."""

    base: Encoder | None = None
    key = "watching"

    def __init__(self, modality: Modality) -> None:
        self.modality: Modality = modality
        self.items: Any = None

    def encode(self, items: Any, device: str) -> Tensor:
        self.items = items
        return torch.zeros(len(items), 1, device=device)


def test_items_are_images_of_the_datasets_size_and_its_captions() -> None:
    student = toy()
    student.images, student.texts = images, texts = Watching("image"), Watching("text")
    towers(student, SAMPLES, 5)
    pixels = images.items
    assert (pixels.shape, pixels.dtype, pixels.flags.writeable) == ((5, BEADS, BEADS, 3), np.uint8, False)
    assert pixels.std() > 50
    towers(student, SAMPLES, 3)
    assert texts.items == [*SAMPLES["captions"], SAMPLES["captions"][0]]


def test_each_tower_runs_on_the_module() -> None:
    student = toy()
    image, text = towers(student, SAMPLES, 2)
    assert (image.name, text.name) == ("image", "text")
    module: Any = student.module
    assert torch.equal(image.call(module, image.inputs), module.encode_image(image.inputs))
    assert torch.equal(text.call(module, text.inputs), module.encode_text(text.inputs))


class Miserly(Halved):
    """Makes one item too few."""

    def encode(self, items: Any, device: str) -> Tensor:
        return super().encode(items, device)[1:]


def test_an_encoder_that_loses_items() -> None:
    student = toy()
    student.images = Miserly()
    with pytest.raises(KdbenchError, match="image encoder 'halved' made 3 items of 4"):
        towers(student, SAMPLES, 4)
