"""The encoded bytes of an image: in a separate file, in a shard or in a Parquet file. Safe to read from any thread."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kdbench import KdbenchError
from kdbench.errors import of_machine
from kdbench_plugins.tables.parquet import parquet_file, read_group

if TYPE_CHECKING:
    import pyarrow

GROUPS = 4  # row groups of Parquet files kept in memory; `datasets` writes groups of about 100 images


class Blob(Protocol):
    """Bytes that can be read repeatedly. `source` names them in messages: a path, or a shard and its member."""

    @property
    def path(self) -> Path:
        """The file that contains the bytes."""
        ...

    @property
    def source(self) -> str: ...
    def read(self) -> bytes:
        """Reads the bytes. Raises KdbenchError, naming the source, if they cannot be read.

        Raises OSError where the disk or the file server fails: that says nothing of the file.
        """
        ...


def same_bytes(one: Blob, other: Blob) -> bool:
    """Whether two blobs hold the same bytes. Reads them only if their sizes do not differ already."""
    sizes = {blob.size for blob in (one, other) if isinstance(blob, ShardBlob)}
    return len(sizes) < 2 and one.read() == other.read()


def _unreadable(blob: Blob, error: OSError, hint: str = "") -> Exception:
    """What to raise for a blob that cannot be read."""
    if of_machine(error):
        return OSError(error.errno, error.strerror, str(blob.path))
    return KdbenchError(f"{blob.source}: cannot be read ({error.strerror or error}){hint}")


@dataclass(frozen=True, slots=True)
class FileBlob:
    """A separate file; `listed` is the row that names it."""

    path: Path
    listed: str = field(default="", compare=False)

    @property
    def source(self) -> str:
        return str(self.path)

    def read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise _unreadable(self, error, f"; named in {self.listed}" if self.listed else "") from error


@dataclass(frozen=True, slots=True)
class ShardBlob:
    """A member of a tar file: `size` bytes from `offset`."""

    path: Path
    member: str
    offset: int
    size: int

    @property
    def source(self) -> str:
        return f"{self.path}: {self.member}"

    def read(self) -> bytes:
        try:
            with self.path.open("rb") as stream:
                data = os.pread(stream.fileno(), self.size, self.offset)
        except OSError as error:
            raise _unreadable(self, error) from error
        if len(data) != self.size:
            raise KdbenchError(f"{self.source}: found {len(data)} bytes, expected {self.size}; the shard is truncated")
        return data


@dataclass(frozen=True, slots=True)
class ParquetBlob:
    """The field `bytes` of a struct column; `row` counts within its row group, `number` from 0 within the file."""

    path: Path
    column: str
    group: int
    row: int
    number: int

    @property
    def source(self) -> str:
        return f"{self.path}: row {self.number}"

    def read(self) -> bytes:
        try:
            found = os.stat(self.path)
            data: Any = _group(self.path, (found.st_size, found.st_mtime_ns), self.column, self.group)[self.row].as_py()
        except OSError as error:
            raise _unreadable(self, error) from error
        except (KdbenchError, IndexError) as error:
            raise KdbenchError(f"{self.source}: cannot be read ({error})") from error
        if not data:
            raise KdbenchError(f"{self.source}: {self.column}.bytes is empty; expected the bytes of an image")
        return bytes(data)


@lru_cache(maxsize=GROUPS)
def _group(path: Path, stat: tuple[int, int], column: str, group: int) -> pyarrow.ChunkedArray:  # noqa: ARG001
    """A column of one row group of a file of this size and time: another file may take its path."""
    with parquet_file(path) as file:
        import pyarrow.compute

        return pyarrow.compute.struct_field(read_group(path, file, group, [f"{column}.bytes"]).column(column), "bytes")
