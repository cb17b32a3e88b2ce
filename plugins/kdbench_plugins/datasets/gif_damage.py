"""Damage in GIF files: codes of the first frame that make more or fewer pixels than it has."""

from __future__ import annotations


def refuse_damaged_gif(data: bytes) -> None:
    """Raises ValueError if the codes of the first frame do not make as many pixels as it has."""
    place = 13 + _table(data[10])
    while data[place] == 0x21:  # extensions
        place = _after_blocks(data, place + 2)
    left = data[place : place + 10]
    width, height = (int.from_bytes(left[at : at + 2], "little") for at in (5, 7))
    place += 10 + _table(left[9])
    least = data[place]
    codes = _blocks(data, place + 1)
    found = _pixels(codes, least, width * height)
    if found != width * height:
        amount = "more" if found > width * height else "fewer"
        raise ValueError(f"its first frame has codes for {amount} pixels than {width} × {height}")


def _table(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _after_blocks(data: bytes, place: int) -> int:
    while data[place]:
        place += 1 + data[place]
    return place + 1


def _blocks(data: bytes, place: int) -> bytes:
    found = bytearray()
    while data[place]:
        found += data[place + 1 : place + 1 + data[place]]
        place += 1 + data[place]
    return bytes(found)


def _pixels(data: bytes, least: int, expected: int) -> int:
    """The number of pixels that LZW codes make, up to the end code or a code that is not yet in the table.

    One more than expected if there are more.
    """
    clear, end = 1 << least, (1 << least) + 1
    lengths, width, before = [1] * (end + 1), least + 1, 0
    bits, held, count = 0, 0, 0
    for byte in data:
        held |= byte << bits
        bits += 8
        while bits >= width:
            code, held, bits = held & ((1 << width) - 1), held >> width, bits - width
            if code == clear:
                lengths, width, before = [1] * (end + 1), least + 1, 0
                continue
            if code == end or code > len(lengths) or (code == len(lengths) and not before):
                return count
            if before and len(lengths) < 4096:
                lengths.append(before + 1)
            before = lengths[code] if code < len(lengths) else before
            count += before
            if count > expected:
                return expected + 1
            width = min(12, max(width, len(lengths).bit_length()))
    return count
