"""One augmented view of a picture: which part of it, mirrored or not, in which colours. A pure function of its number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kdbench.storage.digest import digest_of
from kdbench.suite.settings import Views

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1  # raise when the same settings mean other pixels
ASPECT = (3 / 4, 4 / 3)  # of a crop, as in RandomResizedCrop of torchvision (Szegedy et al., CVPR 2015)
ERASED = (0.02, 0.2)  # area of an erased rectangle, as a fraction of the view
Box = tuple[float, float, float, float]  # left, top, width, height, as fractions of the picture


@dataclass(frozen=True)
class View:
    """What is done to a picture. `colors` are factors of brightness, contrast and saturation."""

    crop: Box
    flip: bool
    colors: tuple[float, float, float] | None
    erased: Box | None

    def of(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The view of a picture [S, S, 3], of the same shape; the crop is resized with antialiasing."""
        import torch
        from torchvision.transforms.v2 import InterpolationMode
        from torchvision.transforms.v2 import functional as change

        size = len(picture)
        left, top, width, height = _pixels(self.crop, size)
        pixels: Tensor = torch.from_numpy(picture).permute(2, 0, 1)
        pixels = change.resized_crop(pixels, top, left, height, width, [size, size], InterpolationMode.BICUBIC, antialias=True)
        if self.flip:
            pixels = pixels.flip(2)
        if self.colors is not None:
            brightness, contrast, saturation = self.colors
            pixels = change.adjust_brightness(pixels, brightness)
            pixels = change.adjust_contrast(pixels, contrast)
            pixels = change.adjust_saturation(pixels, saturation)
        if self.erased is not None:
            left, top, width, height = _pixels(self.erased, size)
            mean = pixels.float().mean(dim=(1, 2), keepdim=True).to(torch.uint8)
            pixels = change.erase(pixels, top, left, height, width, mean)
        made: NDArray[np.uint8] = pixels.permute(1, 2, 0).contiguous().numpy()
        return made


class Drawn:
    """The views of one dataset under some settings: view `v` of image `i` does not depend on process, seed or step."""

    def __init__(self, settings: Views, dataset: str) -> None:
        self.settings = settings
        made_of = {"crop": settings.crop, "flip": settings.flip, "color": settings.color, "erase": settings.erase}
        self.identity = digest_of([FORMAT, dataset, made_of])  # a setting that is added belongs to it where it is used
        self._key = int(self.identity[:32], 16)

    def __call__(self, image: int, view: int) -> View:
        """The view number `view`, from 0, of an image. Every draw is made, used or not: settings do not move each other's."""
        rng = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, view, image]))
        given = self.settings
        crop = _box(rng, (given.crop[0], given.crop[1]))
        flip = bool(rng.random() < given.flip)
        low, high = 1 - given.color, 1 + given.color
        factors = rng.uniform(low, high, 3)
        erased = _box(rng, ERASED)
        keeps = rng.random() >= given.erase
        brightness, contrast, saturation = (float(factor) for factor in factors)
        return View(crop, flip, (brightness, contrast, saturation) if given.color else None, None if keeps else erased)


def _box(rng: np.random.Generator, areas: tuple[float, float]) -> Box:
    """A rectangle of an area between two fractions, in an aspect with which it fits into the picture."""
    area = rng.uniform(*areas)
    aspect = math.exp(rng.uniform(math.log(max(ASPECT[0], area)), math.log(min(ASPECT[1], 1 / area))))
    width, height = math.sqrt(area * aspect), math.sqrt(area / aspect)
    return float(rng.uniform(0, max(0.0, 1 - width))), float(rng.uniform(0, max(0.0, 1 - height))), width, height


def _pixels(box: Box, size: int) -> tuple[int, int, int, int]:
    """A box in whole pixels, at least one each way: left, top, width, height."""
    left, top = (min(round(place * size), size - 1) for place in box[:2])
    width, height = (
        max(1, min(round(length * size), size - start)) for length, start in zip(box[2:], (left, top), strict=True)
    )
    return left, top, width, height
