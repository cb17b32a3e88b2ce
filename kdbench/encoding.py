"""Writes an encoder's outputs, chunk by chunk, into one file that is then mapped; goes on where it was stopped.

One file and not many: a memory map of it is any number of rows for next to no memory, whatever its length, and what is done
is remembered by chunk, which is finer than by file. It is written, not mapped, while it grows: of a map every page written
counts as this process's.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

CHUNK = 128  # rows computed, remembered and told of at a time
DONE = ".done"  # ends the name of the list of finished chunks: a line for each, its first row and the hash of its bytes


def write_rows(path: Path, total: int, compute: Callable[[int, int], NDArray[Any]], report: Callable[[int, int], None]) -> None:
    """Writes [total, …] to `path` as numpy does, `compute(start, stop)` giving the rows of each chunk.

    A list of what is done lies beside the file until all is; where both are there already, chunks are kept whose bytes are
    those listed. `report` is told how many rows are done, of how many. Without rows no file is made.
    """
    if total == 0:
        return
    listed = path.with_name(path.name + DONE)
    with path.open("r+b" if path.exists() else "w+b") as file:
        kept = _kept(file, listed, total)
        with listed.open("a", encoding="ascii") as stream:
            for start in range(0, total, CHUNK):
                stop = min(start + CHUNK, total)
                if start not in kept:
                    values = np.ascontiguousarray(compute(start, stop))
                    first = _header(values, total)
                    file.seek(0)
                    file.write(first)  # the same for every chunk
                    file.seek(len(first) + start * values[0].nbytes)
                    file.write(values.tobytes())
                    file.flush()
                    stream.write(f"{start} {_hash(values.tobytes())}\n")
                    stream.flush()
                report(stop, total)
    listed.unlink()


def _header(values: NDArray[Any], total: int) -> bytes:
    stream = io.BytesIO()
    described = np.lib.format.dtype_to_descr(values.dtype)
    shape = (total, *values.shape[1:])
    np.lib.format.write_array_header_1_0(stream, {"descr": described, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _kept(file: BinaryIO, listed: Path, total: int) -> set[int]:
    """First rows of the chunks whose bytes are those that were listed: after a power cut the list may be ahead of them."""
    kept: dict[int, str] = {}
    try:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        begin, width = file.tell(), int(np.prod(shape[1:])) * dtype.itemsize
        lines = listed.read_text(encoding="ascii", errors="replace").splitlines() if shape[0] == total else []
    except (OSError, ValueError):  # nothing there yet
        lines, begin, width = [], 0, 0
    for line in lines:
        start, _, written = line.partition(" ")
        if start.isdecimal() and int(start) % CHUNK == 0 and int(start) < total:
            file.seek(begin + int(start) * width)
            if _hash(file.read(min(CHUNK, total - int(start)) * width)) == written:
                kept[int(start)] = written
    # Written anew, so that a line cut short is gone and what follows begins a line.
    listed.write_text("".join(f"{start} {written}\n" for start, written in kept.items()), encoding="ascii")
    return set(kept)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
