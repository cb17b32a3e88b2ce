"""Encoded pictures as pixels: the original one, and from it the dataset's square one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from kdbench import KdbenchError
from kdbench.data.picture_file import square
from kdbench_plugins.datasets.colours import to_rgb
from kdbench_plugins.datasets.damage import refuse_damage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

DECODERS = (
    "pil",
    "libjpeg_turbo",
    "jpg",
    "webp",
    "libtiff",
    "jpg_2000",
)  # those of Pillow that make pixels
LONGEST = 64  # longest side in multiples of the shorter one; resizing a longer strip would exhaust the memory


def decoders() -> list[str]:
    """The versions of what decodes pictures. Part of a dataset's fingerprint: another one may make other pixels of a file."""
    from PIL import features

    return [f"{name} {features.version(name)}" for name in DECODERS]


def decode(data: bytes, size: int) -> NDArray[np.uint8]:
    """Decodes a picture to the dataset's square one: `square` of its `original`. Raises KdbenchError as that does."""
    return square(original(data), size)


def original(data: bytes, checked: bool = True) -> NDArray[np.uint8]:
    """Decodes a picture to uint8 RGB [height, width, 3]: rotated by EXIF, transparency on white, the first frame of several.

    Raises KdbenchError for data that are not a picture, truncated, or damaged as far as the format shows it; missing parts are
    never filled in. `checked` says whether to look for damage that Pillow does not see. Raises it as well for several pages, an
    unknown range of values, and strips of more than LONGEST to 1.
    """
    import numpy as np
    from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

    ImageFile.LOAD_TRUNCATED_IMAGES = False  # some libraries set it when imported; the missing part would be filled in
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind, sixteen = image.format or "", _sixteen(image)
            pages = getattr(image, "n_frames", 1) if kind == "TIFF" else 1
            image.load()
            upright = ImageOps.exif_transpose(image)
        if checked:
            refuse_damage(data, kind)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error, its own for bombs …
        told = "in no format that Pillow knows" if isinstance(error, UnidentifiedImageError) else error
        raise KdbenchError(f"cannot be decoded ({told}); {len(data):,} bytes were found: restore the image") from error
    if pages > 1:
        raise KdbenchError(f"found {pages} pages in a TIFF file, expected one: which is the picture? Save it alone")
    width, height = upright.size
    short, long = sorted((width, height))
    if long > LONGEST * short:
        raise KdbenchError(f"found {width} × {height} pixels, expected sides of at most {LONGEST} to 1")
    return np.array(to_rgb(upright, sixteen), dtype=np.uint8)


def _sixteen(image: Image) -> bool:
    """Whether the file of an opened picture has 16 unsigned bits a channel, by what its decoder is told."""
    told = " ".join(str(tile[-1]) for tile in getattr(image, "tile", ()))
    scaled = image.format == "PPM" and image.mode == "I"  # Pillow scales other depths to 16 bits
    return scaled or image.mode.startswith("I;16") or (";16" in told and ";16S" not in told)
