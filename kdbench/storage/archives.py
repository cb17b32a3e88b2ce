"""Whole numbers out of an .npz that anybody may have made: nothing is unpickled, and no bomb goes off."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError

# What zipfile raises for contents that are damaged, encrypted or packed in a way that it does not know.
UNREADABLE = (OSError, BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
HEADER = 4096  # bytes that an array file may have beside its numbers


def whole_numbers(content: bytes, names: Sequence[str], longest: int) -> list[NDArray[Any]]:
    """The arrays of an archive that holds these and no others, each a row of at most `longest` integers and not empty.

    Raises RecordError where it is anything else.
    """
    limit = 8 * longest + HEADER
    files = [f"{name}.npy" for name in names]
    try:
        with ZipFile(io.BytesIO(content)) as members:
            sizes = {member.filename: member.file_size for member in members.infolist()}
            if sorted(sizes) != sorted(files) or max(sizes.values()) > limit:
                raise RecordError(f"it holds {sizes} (bytes), expected {' and '.join(sorted(files))} of at most {limit} bytes")
            return [_row(members.read(file)) for file in files]
    except (*UNREADABLE, ValueError, KeyError, MemoryError) as error:
        raise RecordError(f"cannot be read ({error})") from error


def _row(content: bytes) -> NDArray[Any]:
    """Of an .npy file. Thousands of them have one header, which NumPy reads slowly."""
    end = 10 + int.from_bytes(content[8:10], "little")
    shape, dtype = _layout(content[:end])
    if len(shape) != 1 or dtype.kind not in "iu" or not shape[0]:
        raise RecordError(f"found {dtype} of shape {list(shape)}, expected whole numbers in a row")
    return np.frombuffer(content, dtype, offset=end).reshape(shape)


@lru_cache
def _layout(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    stream = io.BytesIO(header)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise RecordError(f"an .npy file of version {version}, expected 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return shape, dtype
