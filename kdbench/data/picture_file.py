"""A picture file that is no dataset's, as pixels; and pictures as the square ones of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.errors import KdbenchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_picture_file(path: Path) -> NDArray[np.uint8]:
    """Decodes a file to RGB, uint8 [H, W, 3]: rotated by EXIF, transparency on white. Raises KdbenchError if it is none."""
    import numpy as np
    from PIL import Image, ImageOps

    if not path.is_file():
        raise KdbenchError(f"{path}: no such file; expected a picture")
    try:
        with Image.open(path) as image:
            rgba = ImageOps.exif_transpose(image).convert("RGBA")
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error, its own for bombs …
        raise KdbenchError(f"{path}: cannot be decoded ({error}); expected a picture") from error
    return np.array(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"), dtype=np.uint8)


def square(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resizes the shorter side of a picture [height, width, 3] (bicubic) and crops its centre: uint8 [size, size, 3].

    Pixels equal those of CLIP's preprocessing and of torchvision's `Resize` and `CenterCrop`.
    """
    import numpy as np
    from PIL import Image

    image = Image.fromarray(picture)
    width, height = image.size
    short, long = sorted((width, height))
    if short != size:
        other = int(size * long / short)
        wanted = (size, other) if width <= height else (other, size)
        image = image.resize(wanted, Image.Resampling.BICUBIC)
    left, top = (round((side - size) / 2) for side in image.size)
    return np.array(image.crop((left, top, left + size, top + size)), dtype=np.uint8)
