"""Pictures of any common mode as RGB, or refused if the range of their values is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench import KdbenchError

if TYPE_CHECKING:
    from PIL.Image import Image

HIGHEST = 65535  # of 16 bits
BRIGHT = 4096  # a picture of 16 bits that never gets here holds 12 bits or fewer, and would turn black


def to_rgb(image: Image, sixteen: bool = False) -> Image:
    """Converts a picture to RGB.

    CMYK is converted without a colour profile, as in the pipelines behind published results. 16-bit grey becomes
    value / 257; Pillow's own conversion would clip it at 255. Transparency becomes white. `sixteen` says that the file has 16
    bits a channel. Raises KdbenchError for a picture whose range is not known: floats, 32-bit integers, 16 bits of which the
    upper four are empty.
    """
    from PIL import Image as Images

    if image.mode.startswith("I"):
        return _from_integers(image, sixteen)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        found = Images.alpha_composite(Images.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    elif image.mode in ("RGB", "L", "1", "P", "CMYK", "YCbCr", "HSV", "RGBX"):
        found = image.convert("RGB")
    else:
        raise KdbenchError(f"found the mode {image.mode!r}, whose range is not known; save it with 8 bits a channel")
    if sixteen and image.mode in ("RGB", "RGBA", "L", "LA"):  # Pillow kept the upper eight bits of each value
        _refuse_dark(257 * _brightest(image))
    return found


def _from_integers(image: Image, sixteen: bool) -> Image:
    import numpy as np
    from PIL import Image as Images

    values = np.asarray(image).astype(np.int64)
    if not sixteen or values.min() < 0 or values.max() > HIGHEST:
        found = f"{values.min()} to {values.max()}"
        raise KdbenchError(
            f"found integers from {found}, expected at most 16 bits with a known range; save it with 8 bits a channel"
        )
    _refuse_dark(int(values.max()))
    grey = np.rint(values / 257).astype(np.uint8)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[values == clear] = 255
    return Images.fromarray(grey).convert("RGB")


def _refuse_dark(highest: int) -> None:
    if highest < BRIGHT:
        raise KdbenchError(
            f"found 16 bits a channel with values up to {highest:,}, expected up to {HIGHEST:,}: its range is not known; "
            "save it with 8 bits a channel"
        )


def _brightest(image: Image) -> int:
    """The highest value of all channels but the transparency."""
    import numpy as np

    bands = zip(image.getbands(), image.split(), strict=True)
    return max(int(np.asarray(band).max()) for name, band in bands if name != "A")
