"""Pictures inside a page: small, as data URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
import io

from kdbench.contracts.shown import Item
from kdbench.errors import KdbenchError

SIDE = 112  # pixels, of the longer side at most
QUALITY = 85


def thumbnail(item: Item) -> str:
    """The picture of an item as a data URI; empty if it has none or it cannot be read."""
    import numpy as np
    from PIL import Image

    if item.picture is None:
        return ""
    try:
        image = Image.fromarray(np.ascontiguousarray(item.picture()))
    except (KdbenchError, OSError):
        return ""
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return _uri("jpeg", stream.getvalue())


def png_uri(data: bytes) -> str:
    """A PNG file as a data URI."""
    return _uri("png", data)


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
