"""Rows of arrays that may be larger than memory.

A memory map is what everything is handed, for it reads like an array. Its pages, once touched, count as this process's for as
long as nobody else wants the memory, and the kernel maps sixteen where one was asked for: a few thousand rows here and
there, and all of the file is resident. Whoever reads rows over and over reads them from the file instead, and whoever goes
through all of them lets go of what is behind.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 18  # rows that are gone through at a time


@runtime_checkable
class Lazy(Protocol):
    """Rows that are made when they are asked for."""

    def __len__(self) -> int: ...
    def rows(self, places: NDArray[Any], /) -> NDArray[Any]: ...


def take(values: NDArray[Any] | Lazy, places: NDArray[Any]) -> NDArray[Any]:
    """`values[places]`, places [B] not negative; of a memory map straight from its file."""
    if isinstance(values, Lazy):
        return values.rows(places)
    if not _whole(values):
        found: NDArray[Any] = values[places]
        return found
    mapped: Any = values
    rows = np.empty((len(places), *values.shape[1:]), values.dtype)
    if rows.size == 0:
        return rows
    width = rows[0].nbytes
    buffer = rows.data.cast("B")
    file = os.open(mapped.filename, os.O_RDONLY)
    try:
        for number, place in enumerate(places.tolist()):
            if not 0 <= place < len(values):
                raise IndexError(f"row {place} of {len(values)}")
            read = os.preadv(file, [buffer[number * width : (number + 1) * width]], mapped.offset + place * width)
            if read != width:
                raise OSError(f"{mapped.filename}: ends in row {place} of {len(values)}")
    finally:
        os.close(file)
    return rows


def blocks(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Every block of rows with the number of its first; of a memory map none stays behind."""
    for start in range(0, len(values), BLOCK):
        yield start, np.asarray(values[start : start + BLOCK])
        let_go(values)


def let_go(values: Any) -> None:
    """Gives up the pages of a memory map that this process holds. They are read again when asked for.

    What was written to them is the file's by then, but not of a map in mode "c", which is left alone.
    """
    if _mapped(values) and values.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        values.base.madvise(mmap.MADV_DONTNEED)


def _mapped(values: Any) -> bool:
    return isinstance(values, np.memmap) and isinstance(values.base, mmap.mmap)


def _whole(values: Any) -> bool:
    """Whether these are all rows of a map of a file, in the file's order, that nobody writes to.

    A part of a map is none: it does not know where in the file it begins.
    """
    return (
        _mapped(values)
        and values.mode == "r"
        and values.flags.c_contiguous
        and values.filename is not None
        and hasattr(os, "preadv")
    )
