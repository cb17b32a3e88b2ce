"""A split by hand for the tests of galleries: eight pictures and eight captions, one of each a concept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kdbench.contracts.shown import Hit, Item, Shown
from kdbench.contracts.task import Queries
from kdbench.errors import KdbenchError
from kdbench.reports.gallery.cards import Model

COUNT = 8
T2I = Queries("image", "t2i", "caption", "retrieval rank", ratio=True)
I2T = Queries("text", "i2t", "image", "retrieval rank", ratio=True)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> \u202eevil\x1b[31m\ud800 'quoted' \"twice\" {{ 7 * 7 }}"


class ByHand(Shown):
    """Captions `text 0` to `text 7`; the first may be another."""

    def __init__(self, first: str = "text 0", readable: bool = True) -> None:
        self.texts = [first, *(f"text {place}" for place in range(1, COUNT))]
        self.readable = readable

    def query(self, of: Queries, index: int) -> Item:
        return self._text(index) if of.array == "image" else self._picture(index)

    def candidate(self, of: Queries, position: int) -> Item:
        return self._picture(position) if of.array == "image" else self._text(position)

    def right(self, of: Queries, index: int) -> Sequence[int]:  # noqa: ARG002
        return [index]

    def outputs(self, model: Any, batch_size: int, device: str) -> Any:
        raise NotImplementedError

    def top(self, outputs: Any, of: Queries, index: int, most: int) -> Sequence[Hit]:
        raise NotImplementedError

    def _text(self, place: int) -> Item:
        return Item(f"caption {place}", self.texts[place], picture=lambda: self._pixels(place))

    def _picture(self, place: int) -> Item:
        name = f"{self.texts[0] if place == 0 else place}.png"
        return Item(name, about=[self.texts[place]], picture=lambda: self._pixels(place))

    def _pixels(self, place: int) -> Any:
        if not self.readable:
            raise KdbenchError("the picture is gone")
        return np.full((200, 100, 3), 20 * place, dtype=np.uint8)


def model(name: str, ranks: Sequence[int], kept: bool = True) -> Model:
    """A model whose query i has the right candidate i at rank `ranks[i]`, in both directions."""
    assert len(ranks) == COUNT

    def top(of: Queries, index: int, most: int) -> Sequence[Hit]:  # noqa: ARG001
        others = [place for place in range(COUNT) if place != index]
        order = [*others[: ranks[index] - 1], index, *others[ranks[index] - 1 :]]
        return [Hit(place, 1.0 - step / 10) for step, place in enumerate(order[:most])]

    values = np.array(ranks)
    return Model(name, {"image": values, "text": values}, top if kept else None)
