"""What is measured of a student: the module that is left at inference, and something for its towers to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from kdbench.contracts import Encoder, Student, StudentModule
from kdbench.errors import KdbenchError

TowerName = Literal["image", "text"]
TOWERS: tuple[TowerName, TowerName] = ("image", "text")


@dataclass(frozen=True)
class Items:
    """What a student's encoders are handed: pictures of `size` pixels, drawn at random, and these captions over and over."""

    size: int = 64
    captions: tuple[str, ...] = ("a dog runs after a red ball", "two people sit at a table in the sun")

    def of(self, tower: TowerName, count: int) -> Any:
        if tower == "text":
            return [self.captions[place % len(self.captions)] for place in range(count)]
        pixels = np.random.default_rng(0).integers(0, 256, (count, self.size, self.size, 3), dtype=np.uint8)
        pixels.flags.writeable = False  # as the core's memory maps are
        return pixels


@dataclass(frozen=True)
class Subject:
    """A finalized module and, by tower, a batch as that reads it, [B, ...]. On the CPU at first."""

    module: nn.Module
    inputs: dict[TowerName, Tensor]
    width: int

    def batch(self, tower: TowerName, count: int) -> Tensor:
        """The first `count` items of a tower's batch; raises ValueError where there are fewer."""
        if count > len(self.inputs[tower]):
            raise ValueError(f"a batch of {count} was asked for, {len(self.inputs[tower])} were encoded")
        return self.inputs[tower][:count]

    def encode(self, tower: TowerName, inputs: Tensor) -> Tensor:
        module = cast(StudentModule, self.module)
        return module.encode_image(inputs) if tower == "image" else module.encode_text(inputs)

    def to(self, device: str) -> Subject:
        """Moves the module, which stays the same object, and the batches."""
        return Subject(self.module.to(device), {name: batch.to(device) for name, batch in self.inputs.items()}, self.width)


@contextmanager
def at_inference(module: nn.Module) -> Iterator[None]:
    """Within it, every part of the module is in eval mode; afterwards each is in the mode it was in."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training  # one by one: `train()` would set those below it too


def subject_of(student: Student, items: Items, count: int) -> Subject:
    """Calls the student's `finalize`, where it has one, and its encoders on `count` items each, on the CPU.

    Raises KdbenchError where an encoder makes another number of items.
    """
    finalize = getattr(student, "finalize", None)
    module = cast(nn.Module, finalize() if finalize else student.module)
    encoders: dict[TowerName, Encoder] = {"image": student.images, "text": student.texts}
    inputs = {}
    with torch.no_grad():
        for tower, encoder in encoders.items():
            batch = encoded(encoder, items.of(tower, count))
            if len(batch) != count:
                raise KdbenchError(f"the {tower} encoder {encoder.key!r} made {len(batch)} items of {count}; expected as many")
            inputs[tower] = batch
    return Subject(module, inputs, student.width)


def encoded(encoder: Encoder, items: Any) -> Tensor:
    """What a tower reads of items, by way of the encoder's base; halved in between, as on disk."""
    if encoder.base is not None:
        values = encoded(encoder.base, items).numpy()
        values.flags.writeable = False
        items = values
    made = encoder.encode(items, "cpu").detach().cpu()
    return made.half().float() if made.is_floating_point() else made
