"""Rows of arrays that may be larger than memory.

Functions receive memory maps, which read like arrays. Touched pages count as memory of this process until the system needs the
memory, and the kernel maps sixteen pages for each one read: after a few thousand scattered rows the whole file is resident.
Code that reads rows of large files repeatedly therefore reads them from the file (`take`), and code that scans all rows
releases the pages behind it (`blocks`, `let_go`).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 18  # rows per block
RESIDENT = 1 << 26  # bytes of a file that may stay in memory: its rows are read without a system call for each


@runtime_checkable
class Lazy(Protocol):
    """Rows that are computed when they are read."""

    def __len__(self) -> int: ...
    def rows(self, places: NDArray[Any], /) -> NDArray[Any]: ...


def take(values: NDArray[Any] | Lazy, places: NDArray[Any]) -> NDArray[Any]:
    """`values[indices]` for nonnegative `indices` [B]; rows of a large memory map are read directly from its file.

    Raises IndexError for a row that is not there, and OSError if the file of a map has become shorter.
    """
    if isinstance(values, Lazy):
        return values.rows(places)
    if not _whole(values):
        found: NDArray[Any] = values[places]
        return found
    mapped: Any = values
    for position in places[(places < 0) | (places >= len(values))].tolist():
        raise IndexError(f"row {position} of {len(values)}")
    if values.nbytes <= RESIDENT and os.stat(mapped.filename).st_size >= mapped.offset + values.nbytes:
        resident: NDArray[Any] = values[places]
        return resident
    rows = np.empty((len(places), *values.shape[1:]), values.dtype)
    if rows.size == 0:
        return rows
    width = rows[0].nbytes
    buffer = rows.data.cast("B")
    file = os.open(mapped.filename, os.O_RDONLY)
    try:
        for number, position in enumerate(places.tolist()):
            read = os.preadv(file, [buffer[number * width : (number + 1) * width]], mapped.offset + position * width)
            if read != width:
                raise OSError(f"{mapped.filename}: ends in row {position} of {len(values)}")
    finally:
        os.close(file)
    return rows


def blocks(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yields blocks of rows with the index of their first row; releases pages of a memory map behind it."""
    for start in range(0, len(values), BLOCK):
        yield start, np.asarray(values[start : start + BLOCK])
        let_go(values)


def let_go(values: Any) -> None:
    """Releases the resident pages of a memory map. They are read again when needed.

    Written pages belong to the file by then, except in mode "c": such maps are left unchanged.
    """
    if _mapped(values) and values.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        values.base.madvise(mmap.MADV_DONTNEED)


def _mapped(values: Any) -> bool:
    return isinstance(values, np.memmap) and isinstance(values.base, mmap.mmap)


def _whole(values: Any) -> bool:
    """Whether this is a complete, read-only memory map of a file, in the file's order.

    A slice of a map is not: it does not know its offset in the file.
    """
    return (
        _mapped(values)
        and values.mode == "r"
        and values.flags.c_contiguous
        and values.filename is not None
        and hasattr(os, "preadv")
    )
