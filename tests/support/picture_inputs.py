"""Generated pictures, their files in many formats and modes, and damage to these files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tests.support.encoded_pictures import encoded

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "jpeg-optimized": ("JPEG", {"quality": 60, "optimize": True, "subsampling": 0}),
    "jpeg-restarts": ("JPEG", {"quality": 80, "restart_marker_rows": 1}),
    "jpeg-progressive": ("JPEG", {"quality": 80, "progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "webp-lossless": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff-deflated": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "ppm": ("PPM", {}),
}
MODES = ("RGB", "L", "P", "RGBA", "LA", "CMYK", "1")


@dataclass(frozen=True)
class Damage:
    """Some bytes, from `share` of the part of a file that may be damaged, are lost, zeroed or changed, or all that follow."""

    kind: str  # lost, zeroed, changed, cut, ended (cut, and an end mark put there)
    share: float
    count: int
    seed: int = 0

    def of(self, data: bytes, first: int = 0, last: int = 0) -> bytes:
        """The damaged file; its first and last bytes stay."""
        start = first + int(self.share * max(0, len(data) - first - last - self.count))
        stop = min(start + self.count, len(data) - last)
        if self.kind == "cut":
            return data[:start]
        if self.kind == "ended":
            return data[:start] + data[len(data) - 2 :]
        rng = np.random.default_rng(self.seed)
        changed = rng.integers(0, 255, stop - start, dtype=np.uint8).tobytes()
        made = {"lost": b"", "zeroed": bytes(stop - start), "changed": changed}[self.kind]
        return data[:start] + made + data[stop:]


def damages(kinds: tuple[str, ...], least: int, most: int) -> st.SearchStrategy[Damage]:
    """Damage of these kinds to `least` up to `most` bytes."""
    return st.builds(Damage, st.sampled_from(kinds), st.floats(0, 1), st.integers(least, most), st.integers(0, 999))


@st.composite
def pictures(draw: st.DrawFn, least: int = 1, most: int = 60, noise: int | None = None) -> Image.Image:
    """A smooth RGB picture with some noise, of sides from `least` to `most`."""
    width, height = draw(st.integers(least, most)), draw(st.integers(least, most))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    small = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int64)
    strength = draw(st.sampled_from([0, 3, 40])) if noise is None else noise
    noisy = pixels + rng.integers(-strength, strength + 1, pixels.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def file_of(picture: Image.Image, name: str, mode: str = "RGB") -> bytes:
    """The file of a picture in one of FORMATS. A mode that the format does not hold is stored as RGB."""
    format, options = FORMATS[name]
    try:
        return encoded(picture.convert(mode), format, **options)
    except (OSError, ValueError):
        return encoded(picture, format, **options)
