"""A split's captions, read from their file one by one; a training whose tokens are cached reads none."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
BLOCK = 1 << 20  # bytes scanned at a time


class StoredCaptions(Sequence[str]):
    """The strings of a JSON list in a file. After the first access, keeps their start and end: 16 bytes per caption."""

    def __init__(self, path: Path, count: int) -> None:
        self.path = path
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        if not isinstance(position, slice):
            if not -self._count <= position < self._count:
                raise IndexError(f"caption {position} of {self._count}")
            return self._read(position % self._count, position % self._count + 1)[0]
        start, stop, step = position.indices(self._count)
        return self._read(start, stop)[::step] if step > 0 else list(self[stop + 1 : start + 1])[::step]

    def _read(self, start: int, stop: int) -> list[str]:
        if start >= stop:
            return []
        first, last = int(self._ends[start, 0]), int(self._ends[stop - 1, 1])
        with self.path.open("rb") as stream:
            stream.seek(first)
            found: list[str] = json.loads(b"[" + stream.read(last - first) + b"]")
        return found

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Start and end of every string in the file, quotes included, [M, 2]."""
        ends = np.empty((self._count, 2), dtype=np.int64)
        found = 0
        with self.path.open("rb") as stream:
            held, base = b"", 0  # the part of the file that has not been scanned, and its offset
            while block := stream.read(BLOCK):
                held += block
                seen = 0
                for match in STRING.finditer(held):
                    if found < self._count:
                        ends[found] = base + match.start(), base + match.end()
                    found += 1
                    seen = match.end()
                held, base = held[seen:], base + seen
        if found != self._count:
            raise ValueError(f"{self.path}: found {found} captions, expected {self._count}")
        return ends
