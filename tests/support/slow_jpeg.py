"""A slow reader of baseline JPEG files by the standard (ITU T.81), bit by bit: whether the codes of its scan are all there.

It reads what Pillow writes: one scan, Huffman-coded, with or without restarts. Coefficients are counted, not decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

Table = dict[tuple[int, int], int]  # length and bits of a code → its symbol


class Broken(Exception):
    """The codes of a scan are not those of its pixels."""


def read_jpeg(data: bytes) -> None:
    """Raises Broken if codes are missing, unknown or left over; zeros after the last one of the scan are padding."""
    tables: dict[int, Table] = {}
    parts: list[tuple[int, int]] = []  # blocks of each component in a unit, and the number of its tables
    place, width, height, interval = 2, 0, 0, 0
    while data[place + 1] != 0xDA:
        code, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        segment = data[place + 4 : place + 2 + length]
        if code == 0xC0:
            height, width = struct.unpack(">HH", segment[1:5])
            sampling = {segment[6 + 3 * at]: divmod(segment[7 + 3 * at], 16) for at in range(segment[5])}
        elif code == 0xC4:
            while segment:
                counts = segment[1:17]
                tables[segment[0]] = _table(counts, segment[17 : 17 + sum(counts)])
                segment = segment[17 + sum(counts) :]
        elif code == 0xDD:
            interval = int.from_bytes(segment, "big")
        place += 2 + length
    header = data[place + 4 : place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")]
    for at in range(header[0]):
        across, down = sampling[header[1 + 2 * at]] if header[0] > 1 else (1, 1)
        parts.append((across * down, header[2 + 2 * at] & 15))
    widest, highest = (max(side) for side in zip(*sampling.values(), strict=True)) if header[0] > 1 else (1, 1)
    units = -(-width // (8 * widest)) * -(-height // (8 * highest))
    place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    _read_scan(data[place:], units, parts, tables, interval or units)


def _read_scan(scan: bytes, units: int, parts: list[tuple[int, int]], tables: dict[int, Table], interval: int) -> None:
    for number, first in enumerate(range(0, units, interval)):
        end = _end(scan)
        content = scan[:end].replace(b"\xff\0", b"\xff")
        last = first + interval >= units
        bits = _Bits(content)
        for _ in range(min(interval, units - first)):
            for blocks, table in parts:
                for _ in range(blocks):
                    _skip_block(bits, tables[table], tables[16 + table])
        rest = content[-(-bits.place // 8) :]
        if rest.strip(b"\0") or (rest and not last):
            raise Broken(f"{len(rest)} bytes are left")
        if not last:
            if scan[end + 1] != 0xD0 + number % 8:
                raise Broken("a restart is missing")
            scan = scan[end + 2 :]
        elif scan[end + 1] != 0xD9:
            raise Broken("something follows the scan")


def _skip_block(bits: _Bits, direct: Table, alternating: Table) -> None:
    bits.skip(bits.symbol(direct))
    index = 1
    while index < 64:
        run, size = divmod(bits.symbol(alternating), 16)
        if size == 0 and run != 15:
            return
        bits.skip(size)
        index += run + 1


class _Bits:
    def __init__(self, content: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in content)
        self.place = 0

    def symbol(self, table: Table) -> int:
        for length in range(1, 17):
            if self.place + length > len(self.text):
                raise Broken("a code is missing")
            found = table.get((length, int(self.text[self.place : self.place + length], 2)))
            if found is not None:
                self.place += length
                return found
        raise Broken("an unknown code")

    def skip(self, count: int) -> None:
        self.place += count
        if self.place > len(self.text):
            raise Broken("a value is missing")


def _table(counts: bytes, symbols: bytes) -> Table:
    return dict(zip(_codes(counts), symbols, strict=True))


def _codes(counts: bytes) -> Iterator[tuple[int, int]]:
    code = 0
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            yield length, code
            code += 1
        code <<= 1


def _end(scan: bytes) -> int:
    """The place of the next marker."""
    at = 0
    while scan[at] != 0xFF or scan[at + 1] == 0:
        at += 1
    return at
