"""Datasets with original pictures: one in memory, of any shapes, and folders of picture files with their tables."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from kdbench import PLACE, Encoder, Modality, PlacedImages, Split, SplitName
from kdbench.data.picture_file import square

SIZE = 6
SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40)).filter(lambda sides: max(sides) <= 20 * min(sides))
SHAPES = st.lists(SIDES, min_size=1, max_size=6)  # height and width of pictures


def picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


class Pictured:
    """`shapes` of original pictures, the same in every split; each picture has one caption and is a concept of its own.

    `change` alters what is read of the picture with a number, counted over all splits.
    """

    size = SIZE
    licence = "CC0"

    def __init__(
        self,
        shapes: Sequence[tuple[int, int]],
        streamed: bool = False,
        change: Mapping[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] | None = None,
        squares: bool = True,
        fingerprint: str = "",
    ) -> None:
        self.shapes, self.streamed, self.change, self.squares = list(shapes), streamed, dict(change or {}), squares
        self.fingerprint = fingerprint or f"pictured {self.shapes} {sorted(self.change)}"
        self.reads: list[int] = []

    def read_original(self, file: str, offset: int, bytes: int) -> NDArray[np.uint8]:  # noqa: ARG002
        self.reads.append(offset)
        found = picture(offset, *self.shapes[offset % len(self.shapes)])
        return self.change[offset](found) if offset in self.change else found

    def read_image(self, file: str, offset: int, bytes: int) -> NDArray[np.uint8]:
        return square(self.read_original(file, offset, bytes), SIZE)

    def split(self, name: SplitName) -> Split:
        first = ("train", "validation", "test").index(name) * len(self.shapes)
        numbers = np.arange(first, first + len(self.shapes))
        places = np.array([(0, number, 1) for number in numbers], dtype=PLACE)
        return Split(
            images=PlacedImages(self.read_image, ["all"], places),
            captions=[f"picture {number}" for number in numbers],
            image_concepts=numbers,
            caption_concepts=numbers,
            originals=PlacedImages(self.read_original, ["all"], places),
            square=(lambda original: square(original, SIZE)) if self.squares else None,
        )


class Noting:
    """Notes the pictures that it is given; each becomes its shape, its sum and its first value."""

    modality: Modality = "image"
    base: Encoder | None = None

    def __init__(self, originals: bool, key: str = "noting", dtype: torch.dtype = torch.int64) -> None:
        self.originals, self.key, self.dtype = originals, key, dtype
        self.seen: list[NDArray[np.uint8]] = []

    def encode(self, items: Any, device: str) -> Tensor:
        self.seen += [np.array(item) for item in items]
        rows = [[*item.shape[:2], int(item.sum(dtype=np.int64)), int(item.flat[0])] for item in map(np.asarray, items)]
        return torch.tensor(rows, device=device).to(self.dtype)


def write_folder(
    folder: Path,
    pictures: Mapping[str, Sequence[Image.Image]],
    caption: Callable[[str, int], str],
    suffixes: Sequence[str] = (".png",),
) -> Path:
    """Picture files and their table.csv for the dataset `folder`; `caption(split, place)` gives the caption of a picture.

    Pictures are written in the formats of `suffixes` in turn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "caption", "split"])
        for split, images in pictures.items():
            for place, image in enumerate(images):
                name = f"{split}-{place}{suffixes[place % len(suffixes)]}"
                image.save(folder / name)
                writer.writerow([name, caption(split, place), split])
    return path


def smooth(seed: int, width: int, height: int) -> Image.Image:
    """A picture whose colours change over its whole width and height."""
    noise = cast(Any, picture(seed, 4, 5))
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
