"""Photographs as uint8 squares, decoded when indexed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from kdbench import KdbenchError
from kdbench_plugins.datasets.blobs import Blob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

LONGEST = 64  # longest side in multiples of the shorter one; resizing a longer strip would exhaust the memory


@dataclass(frozen=True)
class Photographs(Sequence["NDArray[np.uint8]"]):
    """N blobs as N images, uint8 [size, size, 3], decoded when indexed. Keeps nothing: the core caches decoded images."""

    blobs: tuple[Blob, ...]
    size: int

    def __len__(self) -> int:
        return len(self.blobs)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> Photographs: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | Photographs:
        if isinstance(index, slice):
            return Photographs(self.blobs[index], self.size)
        blob = self.blobs[index]
        data = blob.read()
        try:
            return decode(data, self.size)
        except KdbenchError as error:
            raise KdbenchError(f"{blob.source}: {error}") from error


def decode(data: bytes, size: int) -> NDArray[np.uint8]:
    """Decodes an image to uint8 RGB [size, size, 3]: rotated by EXIF, shorter side resized (bicubic), centre-cropped.

    Pixels equal those of CLIP's preprocessing and of torchvision's `Resize` and `CenterCrop`. Raises KdbenchError for data
    that are truncated or not an image; missing parts are never filled in.
    """
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            upright = ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error, its own for bombs …
        raise KdbenchError(f"cannot be decoded ({error}); {len(data):,} bytes were found: download the image again") from error
    picture = to_rgb(upright)
    width, height = picture.size
    short, long = sorted((width, height))
    if long > LONGEST * short:
        raise KdbenchError(f"found {width} × {height} pixels, expected sides of at most {LONGEST} to 1")
    if short != size:
        other = int(size * long / short)
        wanted = (size, other) if width <= height else (other, size)
        picture = picture.resize(wanted, Image.Resampling.BICUBIC)
    left, top = (round((side - size) / 2) for side in picture.size)
    return np.array(picture.crop((left, top, left + size, top + size)), dtype=np.uint8)


def to_rgb(image: Image) -> Image:
    """Converts an image of any common mode to RGB.

    CMYK is converted without a colour profile, as in the pipelines behind published results. 16-bit grey becomes
    value / 257; Pillow's own conversion would clip it at 255. Transparency becomes white. Raises KdbenchError for a mode
    whose range is not known (floats, 32-bit integers).
    """
    import numpy as np
    from PIL import Image as Images

    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            found = f"{values.min()} to {values.max()}"
            raise KdbenchError(f"found integers from {found}, expected at most 16 bits; save it with 8 bits a channel")
        return Images.fromarray(np.rint(values / 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Images.alpha_composite(Images.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    if image.mode not in ("RGB", "L", "1", "P", "CMYK", "YCbCr", "HSV", "RGBX"):
        raise KdbenchError(f"found the mode {image.mode!r}, whose range is not known; save it with 8 bits a channel")
    return image.convert("RGB")
