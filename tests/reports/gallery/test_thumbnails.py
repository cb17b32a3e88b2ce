"""Pictures inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from kdbench.contracts.shown import Item
from kdbench.reports.gallery.thumbnails import SIDE, thumbnail
from tests.support.galleries import T2I, ByHand


def decoded(uri: str) -> Image.Image:
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_picture_is_small_and_keeps_its_shape() -> None:
    found = decoded(thumbnail(ByHand().candidate(T2I, 5)))
    assert found.size == (SIDE // 2, SIDE)
    assert abs(int(np.asarray(found)[0, 0, 0]) - 100) < 4


def test_a_small_picture_is_not_enlarged() -> None:
    assert decoded(thumbnail(Item("x", picture=lambda: np.zeros((6, 6, 3), dtype=np.uint8)))).size == (6, 6)


def test_without_a_picture_there_is_none() -> None:
    assert thumbnail(Item("x", "text")) == ""
    assert thumbnail(ByHand(readable=False).candidate(T2I, 1)) == ""
