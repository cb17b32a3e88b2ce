"""Pictures and their files in the formats that datasets hold."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def smooth(width: int, height: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def png(width: int, height: int, depth: int, colour: int, pixels: bytes, interlaced: int = 0, spoiled: bytes = b"") -> bytes:
    """A PNG file with these compressed pixels; `spoiled` names a chunk whose checksum is wrong."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    chunks = b""
    for name, content in ((b"IHDR", header), (b"tEXt", b"Title\0words"), (b"IDAT", pixels), (b"IEND", b"")):
        checksum = zlib.crc32(name + content) ^ (name == spoiled)
        chunks += struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
    return b"\x89PNG\r\n\x1a\n" + chunks
