"""Damage that Pillow decodes without a word: an independent reading of a picture's file.

PNG and deflated TIFF have checksums: whatever is lost or changed shows. In JPEG, GIF and WebP it shows where codes no longer
fit; a change after which all codes still fit cannot be told from another picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from kdbench_plugins.datasets.gif_damage import refuse_damaged_gif
from kdbench_plugins.datasets.jpeg_damage import refuse_damaged_jpeg

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # x, y, steps
ZEROS = 256  # bytes of zeros in a row that WebP's codes make only for pictures with next to nothing in them
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG's colour type


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
    """The checksums of deflated strips and tiles, which libtiff does not read to their ends."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        tags = getattr(image, "tag_v2", {})
        width, height = max(image.width, tags.get(322, 0)), max(image.height, tags.get(323, 0))
        most = 32 * (width + 8) * (height + 8)  # bytes of a strip or tile, with as many bits as there are
    if tags.get(259) in (8, 32946):  # compression
        for starts, sizes in ((273, 279), (324, 325)):
            for start, size in zip(tags.get(starts, ()), tags.get(sizes, ()), strict=True):
                stream = zlib.decompressobj()
                stream.decompress(data[start : start + size], most)
                if not stream.eof:
                    raise ValueError(f"its strip at byte {start:,} ends too early")


CHECKS: dict[str, Callable[[bytes], None]] = {
    "JPEG": refuse_damaged_jpeg,
    "MPO": refuse_damaged_jpeg,
    "PNG": _png,
    "GIF": refuse_damaged_gif,
    "WEBP": _webp,
    "TIFF": _tiff,
}
