"""Damage in JPEG files, by libjpeg's own warnings: after them its decoder goes on and fills in grey.

libjpeg tells of data that end too early, not always of data that are left over. So its last byte is taken away
as well, where there is one scan: if nothing is missing then, the pixels did not need it, as happens where data before it are
lost or changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ZEROS = 32  # bytes of zeros in a row that entropy coding does not make
MARKER = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")  # in a scan: neither a stuffed byte nor a restart
RESTART = re.compile(rb"\xff+[\xd0-\xd7]\Z")  # some cameras write one before the end mark as well
SOS, EOI, DHT, JFIF = 0xDA, 0xD9, 0xC4, 0xE0
BASELINE = (0xC0, 0xC1)  # Huffman-coded, of one pass
HARMLESS = ("Could not determine", "Unsupported", "Cannot convert")  # files of kinds that this decoder does not know


def refuse_damaged_jpeg(data: bytes) -> None:
    """Raises ValueError if data of the first picture in a JPEG file are lost, zeroed or changed, as far as codes show it."""
    parts, flat = _parts(data)
    warning = _warning(b"".join(parts))
    if warning and "extraneous" in warning:  # some programs fill up with zeros, of which the last code may need one
        for needed in (b"", b"\0"):
            bare = [part.rstrip(b"\0") + needed if number % 2 else part for number, part in enumerate(parts)]
            if _warning(b"".join(bare)) is None:
                parts, warning = bare, None
                break
    if warning:
        raise ValueError(warning)
    for number in range(1, len(parts), 2):
        if not flat and bytes(ZEROS) in parts[number]:
            raise ValueError(f"{ZEROS} bytes or more of its pixels are zeros")
        if len(parts) == 3 and not _needs_its_end(parts, number):  # a picture of several scans would be decoded once for each
            raise ValueError("found more data than its pixels need: some before them are lost or changed")


def _needs_its_end(parts: list[bytes], number: int) -> bool:
    """Whether the last byte of a scan that is no padding is needed."""
    scan = RESTART.sub(b"", parts[number])
    while scan:
        last = scan[-1]
        scan = scan[: -2 if scan.endswith(b"\xff\0") else -1]
        if _warning(b"".join([*parts[:number], scan, *parts[number + 1 :]])) is not None:
            return True
        if last:
            return False
    return False


def _parts(data: bytes) -> tuple[list[bytes], bool]:
    """The first picture of a file, cut so that every second part is the entropy-coded data of a scan.

    Also whether a long run of zeros may be right: by its tables it means pixels that do not change, or they are coded in
    another way.
    """
    parts, firsts, baseline = [data[:2]], set(), False
    place = 2
    while (marker := MARKER.match(data, place)) and data[marker.end() - 1] != EOI:
        code, begin = data[marker.end() - 1], marker.end()
        place = begin + int.from_bytes(data[begin : begin + 2], "big")
        segment = data[begin:place]
        if code in BASELINE:
            baseline = True
        elif code == DHT:
            firsts |= set(_firsts(segment[2:]))
        elif code == JFIF and segment[2:7] == b"JFIF\0":
            segment = segment[:7] + b"\1" + segment[8:]  # of other versions libjpeg warns, and decodes them alike
        elif code == SOS and baseline:
            segment = segment[:-3] + bytes((0, 63, 0))  # the same of other spectral selections, which mean nothing here
        parts[-1] += bytes((0xFF, code)) + segment
        if code == SOS:
            after = MARKER.search(data, place)
            end = after.start() if after else len(data)
            parts += [data[place:end], b""]
            place = end
    parts[-1] += bytes((0xFF, EOI))
    return parts, not baseline or firsts == {0}


def _firsts(tables: bytes) -> Iterator[int]:
    """The symbol whose code is all zeros, of each Huffman table in a segment."""
    place = 0
    while place + 17 < len(tables):
        yield tables[place + 17]
        place += 17 + sum(tables[place + 1 : place + 17])


def _warning(data: bytes) -> str | None:
    """libjpeg's first warning on a file. None if there is none, or if the file is of a kind that this decoder does not know."""
    import simplejpeg

    try:
        colours = "CMYK" if simplejpeg.decode_jpeg_header(data, strict=False)[2] in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(data, colours, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return None if str(error).startswith(HARMLESS) else str(error)
    return None
