"""Damage that Pillow decodes without a word: an independent reading of a picture's file.

PNG and deflated TIFF have checksums: whatever is lost or changed shows. In JPEG, GIF and WebP it shows where codes no longer
fit; a change after which all codes still fit cannot be told from another picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from kdbench_plugins.datasets.gif_damage import refuse_damaged_gif
from kdbench_plugins.datasets.jpeg_damage import refuse_damaged_jpeg

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # x, y, steps
ZEROS = 256  # bytes of zeros in a row that WebP's codes make only for pictures with next to nothing in them
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG's colour type
COMPRESSION, DEFLATED, YCBCR = 259, (8, 32946), 6  # of TIFF: a tag, its values, a value of the tag 262


def refuse_damage(data: bytes, kind: str) -> None:
    """Raises ValueError if the file of a picture is damaged. `kind` is Pillow's name of its format; other formats pass."""
    if check := CHECKS.get(kind):
        check(data)


def _png(data: bytes) -> None:
    """The checksum of every chunk, and of the pixels, and their number."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    steps = ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // right), -(-(height - y) // down)) for x, y, right, down in steps]
    expected = sum(rows * (1 + -(-columns * depth * CHANNELS[colour] // 8)) for columns, rows in sizes if columns > 0)
    stream, count, ended = zlib.decompressobj(), 0, False
    for name, content in _chunks(data):
        if name == b"IDAT":
            count += len(stream.decompress(content, expected - count + 1))
            if count > expected or stream.unconsumed_tail:
                raise ValueError(f"found more than {expected:,} bytes of pixels")
        ended = name == b"IEND"
    if not ended:
        raise ValueError("its end mark IEND is missing")
    if not stream.eof:
        raise ValueError("its pixels end too early")
    if count < expected:
        raise ValueError(f"found {count:,} bytes of pixels, expected {expected:,}")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place + 12 <= len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        content = data[place + 8 : place + 8 + length]
        checksum = data[place + 8 + length : place + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(name + content)):
            raise ValueError(f"the checksum of its chunk {name.decode('latin-1')} at byte {place:,} is wrong")
        yield name, content
        if name == b"IEND":
            return
        place += 12 + length


def _webp(data: bytes) -> None:
    """A long run of zeros where codes are; of a lossless picture with less than a bit a pixel they may be right."""
    place = 12
    while place + 8 <= len(data):
        name, length = struct.unpack("<4sI", data[place : place + 8])
        content = data[place + 8 : place + 8 + length]
        coded = name == b"VP8 " or (name == b"VP8L" and _is_dense(content)) or (name == b"ALPH" and content[0] & 3)
        if coded and bytes(ZEROS) in content:
            raise ValueError(f"{ZEROS} bytes or more of its pixels are zeros")
        place += 8 + length + length % 2


def _is_dense(content: bytes) -> bool:
    """Whether the bytes of a lossless WebP picture that are not zero have a bit or more for each pixel."""
    sides = int.from_bytes(content[1:5], "little")
    pixels = ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
    return 8 * (len(content) - content.count(0)) >= pixels


def _tiff(data: bytes) -> None:
    """The bytes of strips and tiles that are not compressed, or deflated: as many as their rows need.

    Of deflated ones also the checksums, which libtiff does not read. The table of tags has none: whatever is lost in it must
    show in what follows from it.
    """
    import io

    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        tags: dict[int, Any] = dict(getattr(image, "tag_v2", {}))
    if tags.get(COMPRESSION, 1) not in (1, *DEFLATED) or tags.get(262) == YCBCR:
        return
    deflated = tags.get(COMPRESSION) in DEFLATED
    starts, sizes = (tags.get(tiles) or tags.get(strips) or () for tiles, strips in ((324, 273), (325, 279)))
    for start, size, expected in zip(starts, sizes, _sizes(tags, len(starts)), strict=bool(deflated)):
        if deflated:
            stream = zlib.decompressobj()
            size = len(stream.decompress(data[start : start + size], expected[-1] + 1))
            if size <= expected[-1] and not stream.eof:
                raise ValueError(f"its strip at byte {start:,} ends too early")
        if size not in expected:
            raise ValueError(f"its strip at byte {start:,} has {size:,} bytes of pixels, expected {expected[0]:,}")


def _sizes(tags: dict[int, Any], count: int) -> list[tuple[int, int]]:
    """The bytes that the rows of each strip or tile need, and those of as many rows as the first has, to which some fill up."""
    width, height, bits, count_of_samples = tags[256], tags[257], tags.get(258, (1,)), tags.get(277, 1)
    samples = bits * count_of_samples if len(bits) == 1 else bits[:count_of_samples]
    planes = samples if tags.get(284) == 2 else (sum(samples),)
    across, down = tags.get(322, width), tags.get(323, min(tags.get(278, height), height))
    parts = max(1, count // len(planes))  # of each plane
    left = [down if 323 in tags else min(down, height - number * down) for number in range(parts)]
    rows = [-(-across * plane // 8) for plane in planes]
    return [(row * lines, row * down) for row in rows for lines in left]


CHECKS: dict[str, Callable[[bytes], None]] = {
    "JPEG": refuse_damaged_jpeg,
    "MPO": refuse_damaged_jpeg,
    "PNG": _png,
    "GIF": refuse_damaged_gif,
    "WEBP": _webp,
    "TIFF": _tiff,
}
