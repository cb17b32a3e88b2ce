"""Writes an encoder's outputs into one file, which is then memory-mapped. Several processes can help; interrupted work resumes.

A memory map of a single file gives access to any number of rows at almost no memory. Processes claim blocks of it and list
them as done. While it grows it is written, not mapped, because pages written through a map count as memory of the process.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import PluginError
from kdbench.storage.locks import waiting
from kdbench.storage.room import allocate, writing

try:
    import fcntl
except ImportError:  # Windows, where processes do not help each other
    fcntl = None  # type: ignore[assignment]

CHUNK = 128  # rows per chunk: computed, listed as done and reported together
BLOCK = 32  # chunks per block, which a process claims at a time; more if a file would have more than BLOCKS blocks
BLOCKS = 1024
DONE = ".done"  # suffix of a folder with a list per block: the first row of each chunk and the hash of its bytes
Compute = Callable[[int, int], NDArray[Any]]


def write_rows(path: Path, total: int, compute: Compute, report: Callable[[int, int], None], chunk: int = CHUNK) -> None:
    """Writes [total, …] to `path` in numpy's format; `compute(start, stop)` returns the rows of a chunk, of `chunk` or fewer.

    Chunks of an earlier attempt, or from processes in `help_with_rows`, are kept if their bytes match the list. `report`
    receives the number of rows done and the total. Without rows no file is written.
    """
    if total == 0:
        return
    lists = path.with_name(path.name + DONE)
    lists.mkdir(exist_ok=True)
    blocks = _blocks(total, chunk)
    for block in blocks:
        (lists / str(block.start)).touch()
    done = 0
    left: list[range] = []
    for wait in (False, True):
        for block in left if wait else blocks:
            with _claimed(lists / str(block.start), wait) as stream:
                if stream is None:  # another process has it; this one checks it in the second pass
                    left.append(block)
                    continue
                kept = _kept(path, stream, total, chunk)
                for start in block:
                    if start not in kept:
                        _write(path, total, slice(start, min(start + chunk, total)), compute, stream)
                    done += min(chunk, total - start)
                    report(done, total)
    shutil.rmtree(lists)


def help_with_rows(path: Path, total: int, compute: Compute, chunk: int = CHUNK) -> None:
    """Helps another process that executes `write_rows` with the same arguments. Returns when no block is left to claim."""
    lists = path.with_name(path.name + DONE)
    if fcntl is None:
        return
    for block in _blocks(total, chunk):
        with _claimed(lists / str(block.start), wait=False) as stream:
            if stream is not None:
                listed = {line.partition(" ")[0] for line in stream.read().decode(errors="replace").splitlines()}
                for start in block:  # the other process checks that listed chunks exist
                    if str(start) not in listed:
                        try:
                            _write(path, total, slice(start, min(start + chunk, total)), compute, stream)
                        except FileNotFoundError:  # the other process has failed and removed its folder
                            return


def _blocks(total: int, chunk: int) -> list[range]:
    """First rows of chunks, by block."""
    rows = chunk * max(BLOCK, -(-total // (chunk * BLOCKS)))
    return [range(first, min(first + rows, total), chunk) for first in range(0, total, rows)]


@contextmanager
def _claimed(listed: Path, wait: bool) -> Iterator[BinaryIO | None]:
    """A block's list, locked for this process; None if another process has it, or if all is done and the list is gone."""
    try:
        stream = listed.open("r+b")
    except FileNotFoundError:
        yield None
        return
    with stream:
        if fcntl is not None:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    yield None
                    return
                with waiting():
                    fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream


def _write(path: Path, total: int, rows: slice, compute: Compute, stream: BinaryIO) -> None:
    """Computes and writes the rows of a chunk, then its line in the list."""
    values = np.ascontiguousarray(compute(rows.start, rows.stop))
    content, header = values.tobytes(), rows_header(values, total)
    with writing(path), os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:  # the first process creates it
        if (found := file.read(len(header))) != header:
            _check_alike(found, values, total)
            allocate(path, len(header) + total * values[0].nbytes)
            file.seek(0)
            file.write(header)  # the same for every chunk
        file.seek(len(header) + rows.start * values[0].nbytes)
        file.write(content)
    with writing(Path(stream.name)):
        stream.seek(0, os.SEEK_END)
        stream.write(f"{rows.start} {_hash(content)}\n".encode())
        stream.flush()


def _check_alike(found: bytes, values: NDArray[Any], total: int) -> None:
    """Raises PluginError if a file's header says that its rows, of another process or an earlier attempt, differ from these."""
    try:
        stream = io.BytesIO(found)
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    except ValueError:  # none yet, or damaged
        return
    if shape[0] == total and (shape[1:], dtype) != (values.shape[1:], values.dtype):
        here = f"rows of {values.dtype} {list(values.shape[1:])}"
        raise PluginError(f"encode: found {here}, expected {dtype} {list(shape[1:])}, as of the rows that are there already")


def rows_header(values: NDArray[Any], total: int) -> bytes:
    stream = io.BytesIO()
    described = np.lib.format.dtype_to_descr(values.dtype)
    shape = (total, *values.shape[1:])
    np.lib.format.write_array_header_1_0(stream, {"descr": described, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _kept(path: Path, stream: BinaryIO, total: int, chunk: int) -> set[int]:
    """First rows of the chunks whose bytes match the list; after a power cut the list may be ahead of the file."""
    kept: dict[int, str] = {}
    lines = stream.read().decode(errors="replace").splitlines()
    if lines and path.exists():
        with path.open("rb") as file:
            try:
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            except ValueError:  # not even a complete header
                shape, dtype = (0,), np.dtype(np.uint8)
            begin, width = file.tell(), int(np.prod(shape[1:])) * dtype.itemsize
            for line in lines if shape[0] == total else []:
                start, _, written = line.partition(" ")
                if start.isdecimal() and int(start) % chunk == 0 and int(start) < total:
                    file.seek(begin + int(start) * width)
                    if _hash(file.read(min(chunk, total - int(start)) * width)) == written:
                        kept[int(start)] = written
    # Rewritten to drop a truncated last line, so that appending starts on a new line.
    stream.seek(0)
    stream.truncate()
    stream.write("".join(f"{start} {written}\n" for start, written in kept.items()).encode())
    stream.flush()
    return set(kept)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
