"""A small dataset that the kit draws itself: plugins can be tested without files and without a network."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Split, SplitName
from kdbench.errors import KdbenchError

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (240, 210, 40),
    "purple": (150, 60, 190),
    "orange": (240, 140, 30),
}
FORMS = ("circle", "square", "triangle", "cross")
GROUNDS = {"dark": 50, "light": 215}
CONCEPTS = list(product(COLOURS, FORMS, GROUNDS))  # 48


class Shapes:
    """48 concepts, each a shape of a colour on a dark or light ground: 24 for train, 12 for validation, 12 for test.

    Each has two images, which differ in position and noise, and two captions.
    """

    size = 32
    licence = "CC0-1.0"
    fingerprint = "kdbench.testing shapes 1"

    def split(self, name: SplitName) -> Split:
        if name not in SPLITS:
            raise KdbenchError(f"found the split {name!r}; expected one of {', '.join(SPLITS)}")
        return _split(name, self.size)


@cache
def _split(name: SplitName, size: int) -> Split:
    chosen = [i for i in range(len(CONCEPTS)) if ("train", "validation", "train", "test")[_turn(i)] == name]
    images, captions, ids = [], [], []
    for i in chosen:
        colour, form, ground = CONCEPTS[i]
        images += [_draw(i, take, size) for take in range(2)]
        captions += [f"a {colour} {form} on a {ground} ground", f"{form}, {colour}, with {ground} behind it"]
        ids += [f"{colour}-{form}-{ground}-{take}" for take in range(2)]
    concepts = np.repeat(np.array(chosen, dtype=np.int64), 2)
    return Split(images, captions, concepts, concepts.copy(), image_ids=ids, caption_ids=[f"{name}#0" for name in ids])


def _turn(i: int) -> int:
    """0 to 3, chosen such that the train split has every colour, form and ground."""
    colour, rest = divmod(i, len(FORMS) * len(GROUNDS))
    form, ground = divmod(rest, len(GROUNDS))
    return (colour + form + 2 * ground) % 4


def _draw(i: int, take: int, size: int) -> NDArray[np.uint8]:
    colour, form, ground = CONCEPTS[i]
    rng = np.random.default_rng((i, take))
    centre = size / 2 + rng.integers(-size // 8, size // 8 + 1, 2)
    down, right = np.mgrid[:size, :size] + 0.5
    y, x, reach = down - centre[0], right - centre[1], size * 0.3
    inside = {
        "circle": x**2 + y**2 < reach**2,
        "square": (abs(x) < reach * 0.85) & (abs(y) < reach * 0.85),
        "triangle": (abs(x) < (y + reach) / 2) & (y < reach),
        "cross": ((abs(x) < reach / 3) | (abs(y) < reach / 3)) & (abs(x) < reach) & (abs(y) < reach),
    }[form]
    picture = np.where(inside[..., None], np.array(COLOURS[colour]), GROUNDS[ground])
    return (picture + rng.integers(-15, 16, picture.shape)).clip(0, 255).astype(np.uint8)
