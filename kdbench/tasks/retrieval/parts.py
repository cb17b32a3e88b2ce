"""The parts of a student to measure: its two towers, each with a batch of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdbench.contracts import Encoder, Part, Student
from kdbench.errors import KdbenchError

SIZE = 64  # pixels, without a dataset
CAPTIONS = ("a dog runs after a red ball", "two people sit at a table in the sun")


def towers(student: Student, samples: Mapping[str, Any], count: int) -> Sequence[Part]:
    """Random images of `samples["size"]` pixels and repeated `samples["captions"]`, encoded for the towers.

    Raises KdbenchError if an encoder returns another number of items than it received.
    """
    size, captions = samples.get("size", SIZE), samples.get("captions") or CAPTIONS
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    pixels.flags.writeable = False  # as the core's memory maps are
    texts = [captions[position % len(captions)] for position in range(count)]
    return [
        Part("image", _inputs("image", student.images, pixels, count), _image),
        Part("text", _inputs("text", student.texts, texts, count), _text),
    ]


def _image(module: nn.Module, inputs: Tensor) -> Tensor:
    embeddings: Tensor = module.encode_image(inputs)  # type: ignore[operator]
    return embeddings


def _text(module: nn.Module, inputs: Tensor) -> Tensor:
    embeddings: Tensor = module.encode_text(inputs)  # type: ignore[operator]
    return embeddings


def _inputs(tower: str, encoder: Encoder, items: Any, count: int) -> Tensor:
    with torch.no_grad():
        batch = encoded(encoder, items)
    if len(batch) != count:
        raise KdbenchError(f"the {tower} encoder {encoder.key!r} made {len(batch)} items of {count}; expected as many")
    return batch


def encoded(encoder: Encoder, items: Any) -> Tensor:
    """A tower's inputs for items, computed through the encoder's base, whose outputs are converted to float16 as on disk."""
    if encoder.base is not None:
        values = encoded(encoder.base, items).numpy()
        values.flags.writeable = False
        items = values
    made = encoder.encode(items, "cpu").detach().cpu()
    return made.half().float() if made.is_floating_point() else made
