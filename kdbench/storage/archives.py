"""Reads numbers from untrusted .npz files: unpickles nothing and rejects decompression bombs."""

from __future__ import annotations

import io
import zlib
from functools import lru_cache
from math import prod
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError

# Exceptions of zipfile for contents that are damaged, encrypted or compressed by an unknown method.
UNREADABLE = (OSError, BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
HEADER = 4096  # bytes of an array file beside its numbers, at most
MOST = 64  # arrays in an archive, at most
FARTHEST = 1e100  # from 0: numbers whose squares, and sums of these, are numbers


def numbers(content: bytes, longest: int) -> dict[str, NDArray[Any]]:
    """The arrays of an archive: finite numbers in one or more dimensions, at least one and at most `longest` in each array.

    Integers are returned as int32, or as int64 if int32 is too small. Raises RecordError if the archive holds anything else.
    """
    limit = 8 * longest + HEADER
    try:
        with ZipFile(io.BytesIO(content)) as members:
            sizes = {member.filename: member.file_size for member in members.infolist()}
            if len(sizes) < len(members.infolist()) or len(sizes) > MOST or not all(name.endswith(".npy") for name in sizes):
                raise RecordError(f"it holds {sorted(sizes)[:MOST]}, expected at most {MOST} arrays, NAME.npy each")
            if max(sizes.values(), default=0) > limit:
                raise RecordError(f"it holds {sizes} (bytes), expected at most {limit} bytes each")
            unpacked = {
                member.filename: _inflated(content, member) or unpacked_member(members, member) for member in members.infolist()
            }
            return {name.removesuffix(".npy"): _array(values, longest) for name, values in unpacked.items()}
    except (*UNREADABLE, ValueError, KeyError, MemoryError) as error:
        raise RecordError(f"cannot be read ({error})") from error


def whole_rows(content: bytes, longest: int) -> dict[str, NDArray[np.int64]]:
    """The same for one-dimensional integer arrays. Raises RecordError if an array is not."""
    found = numbers(content, longest)
    for name, values in found.items():
        if values.ndim != 1 or values.dtype.kind != "i":
            raise RecordError(
                f"found {values.dtype} of shape {list(values.shape)} in {name!r}, expected one-dimensional integers"
            )
    return {name: values.astype(np.int64) for name, values in found.items()}


def unpacked_member(archive: ZipFile, member: ZipInfo) -> bytes:
    """The content of a member in no more memory than its stated size. Raises what `UNREADABLE` lists.

    `ZipFile.read` may unpack a gigabyte of a deflated member before it cuts that to the stated size, and all of one that is
    compressed by another method, which is refused.
    """
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise NotImplementedError(f"{member.filename!r} is compressed by method {member.compress_type}, expected 0 or 8")
    with archive.open(member) as stream:
        return stream.read(member.file_size)


def _inflated(content: bytes, member: ZipInfo) -> bytes | None:
    """A member as `np.savez_compressed` writes it, in one step; None for any other or a damaged one, which `ZipFile` reads or
    refuses. Its streams take as long as the inflating, and thousands of files are read."""
    start = member.header_offset
    name, extra = (int.from_bytes(content[at : at + 2], "little") for at in (start + 26, start + 28))
    header = content[start : start + 30 + name]
    alike = header[:4] == b"PK\3\4" and header[30:] == member.filename.encode() and header[6:8] == b"\0\0"
    if not alike or member.compress_type != ZIP_DEFLATED or member.flag_bits:
        return None
    start += 30 + name + extra
    packed = content[start : start + member.compress_size]
    values = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, max(member.file_size, 1))
    return values if len(values) == member.file_size and zlib.crc32(values) == member.CRC else None


def _array(content: bytes, longest: int) -> NDArray[Any]:
    """The parsed header of an .npy file, cached: NumPy parses headers slowly, and thousands of files have the same one."""
    end = 10 + int.from_bytes(content[8:10], "little")
    shape, fortran, dtype = _layout(content[:end])
    if dtype.kind not in "iuf" or not shape or not 0 < prod(shape) <= longest:
        raise RecordError(f"found {dtype} of shape {list(shape)}, expected 1 to {longest} numbers")
    values = np.frombuffer(content, dtype, offset=end).reshape(shape, order="F" if fortran else "C")
    if dtype.kind == "f":
        if not (np.abs(values.astype(np.float64)) <= FARTHEST).all():  # NaN is not
            raise RecordError(f"found values that are not finite or beyond {FARTHEST:g}")
        return values
    return _signed(values)


def _signed(values: NDArray[Any]) -> NDArray[Any]:
    """Integers as int32 or int64: differences of smaller types could overflow."""
    if np.can_cast(values.dtype, np.int32):
        return values.astype(np.int32)
    for dtype in (np.int32, np.int64):
        limits = np.iinfo(dtype)
        if limits.min <= int(values.min()) and int(values.max()) <= limits.max:
            return values.astype(dtype)
    raise RecordError(f"found {values.max()}, expected numbers below 2^63")


@lru_cache
def _layout(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    stream = io.BytesIO(header)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise RecordError(f"an .npy file of version {version}, expected 1.0")
    return np.lib.format.read_array_header_1_0(stream)
