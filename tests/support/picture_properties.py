"""What reading pictures keeps to: damage that a format shows is refused, and what is taken is what was written."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kdbench import KdbenchError
from kdbench_plugins.datasets.damage import refuse_damage
from kdbench_plugins.datasets.jpeg_damage import ZEROS, refuse_damaged_jpeg
from kdbench_plugins.datasets.pictures import original
from tests.support.picture_inputs import Damage, file_of
from tests.support.slow_jpeg import Broken, read_jpeg

WITH_CHECKSUMS = ("png", "tiff-deflated")
# As much that, in all pictures tried, its loss shows in these formats. Less may be one code that fits in place of another.
SHOWS = {"jpeg": 400, "jpeg-optimized": 400, "gif": 40, "webp": 1, "webp-lossless": 1}


def read(data: bytes) -> NDArray[np.uint8] | None:
    """The pixels; None if the file is refused, which no other exception may do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = original(data)
    except KdbenchError:
        return None
    assert found.dtype == np.uint8
    assert found.ndim == 3
    assert found.shape[2] == 3
    return found


def undamaged_is_read(picture: Image.Image, name: str, mode: str) -> None:
    """No check for damage refuses what a program wrote; pixels are Pillow's."""
    data = file_of(picture, name, mode)
    with Image.open(io.BytesIO(data)) as opened:
        refuse_damage(data, opened.format or "")
        plain = opened.convert("RGB") if opened.mode in ("RGB", "L", "1", "CMYK") else None
    sides = sorted(picture.size)
    if sides[1] > 64 * sides[0]:
        return
    found = read(data)
    assert found is not None
    if plain is not None and "transparency" not in plain.info:
        np.testing.assert_array_equal(found, np.asarray(plain))


def jpeg_agrees(picture: Image.Image, name: str, damage: Damage) -> None:
    """Against the slow reader, which knows every bit of a scan. In a file with restarts libjpeg overlooks what is left over."""
    whole = file_of(picture, name, "L" if damage.seed % 3 == 0 else "RGB")
    start = whole.index(b"\xff\xda")
    start += 2 + int.from_bytes(whole[start + 2 : start + 4], "big")
    if len(whole) - start - 2 <= damage.count:
        return
    data = damage.of(whole, first=start, last=2)
    slow = _slow_fault(data)
    try:
        refuse_damaged_jpeg(data)
        fast = ""
    except ValueError as error:
        fast = str(error)
    if fast:
        padded = bytes(8) + b"\xff\xd9" in data  # of zeros at the end, codes may have been some and padding the others
        assert slow or (padded and "extraneous" in fast) or (bytes(ZEROS) in data and "zeros" in fast)
    elif not (name == "jpeg-restarts" and "left" in slow):
        assert not slow


def _slow_fault(data: bytes) -> str:
    try:
        read_jpeg(data)
    except (Broken, IndexError, KeyError, struct.error) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def checksums_show_everything(picture: Image.Image, name: str, damage: Damage) -> None:
    """A damaged file of a format with checksums is refused, or has the same pixels. A TIFF file's table of tags has none."""
    data = file_of(picture, name)
    first, last = (8, len(data) - int.from_bytes(data[4:8], "little")) if data[:2] == b"II" else (0, 0)
    found = read(damage.of(data, first, last))
    if found is not None:
        np.testing.assert_array_equal(found, original(data))


def losses_show(picture: Image.Image, name: str, damage: Damage) -> None:
    """What is lost from the middle of the pixels, or zeroed, is refused; or the slow reader takes it for whole as well.

    In about one of 10,000 JPEG files with a loss, the pixels that are read wrong after it end exactly with the data. Then
    nothing is wrong, or only a code that no table has, which libjpeg-turbo's fast decoder reads as a zero, without a word.
    """
    data = file_of(picture, name)
    first = _pixels(data)
    if len(data) - first > 2 * damage.count + 20:
        damaged = damage.of(data, first=first + 20, last=20)
        if read(damaged) is not None:
            assert name.startswith("jpeg")
            assert _slow_fault(damaged) in ("", "Broken: an unknown code")


def _pixels(data: bytes) -> int:
    """Where the compressed pixels of a file begin."""
    scan = data.find(b"\xff\xda")
    if data[:2] == b"\xff\xd8":
        return scan + 14
    if data[:3] == b"GIF":
        return 13 + 3 * (2 << (data[10] & 7)) + 11
    return 40


def only_kdbench_errors(data: bytes) -> None:
    """Whatever the bytes are, they are read or refused."""
    read(data)
