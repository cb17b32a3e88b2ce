"""Sources of records: folders, a bundle, or memory. All return a file's bytes by its name."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from zipfile import ZipFile

from kdbench.errors import RecordError
from kdbench.records.names import ARRAYS, TRACE, units_path
from kdbench.records.record import Record
from kdbench.storage.archives import UNREADABLE, unpacked_member
from kdbench.storage.plain_file import read_plain


class Source(Protocol):
    """Files by name; slashes separate folders."""

    def shown(self, name: str) -> str:
        """The name of a file in messages."""
        ...

    def read(self, name: str) -> bytes | None:
        """The contents of a file, None if it does not exist. Raises RecordError if it cannot be read."""
        ...

    def beside(self, record: str, folder: str, suffix: str) -> list[str]:
        """The files with a suffix in a folder beside a record."""
        ...


class Disk:
    """The file system."""

    def shown(self, name: str) -> str:
        return name

    def read(self, name: str) -> bytes | None:
        try:
            return read_plain(name)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:  # ValueError: a name with a null character, of a record that has been changed
            raise RecordError(f"cannot be read ({error})") from error

    def beside(self, record: str, folder: str, suffix: str) -> list[str]:
        return sorted(map(str, (Path(record).parent / folder).glob(f"*{suffix}")))


@dataclass(frozen=True)
class OpenBundle:
    """A bundle whose names have been checked."""

    path: Path
    archive: ZipFile

    def shown(self, name: str) -> str:
        return f"{self.path}:{name}"

    def read(self, name: str) -> bytes | None:
        try:
            return unpacked_member(self.archive, self.archive.getinfo(name))
        except KeyError:
            return None
        except UNREADABLE as error:
            raise RecordError(f"cannot be read ({error})") from error

    def beside(self, record: str, folder: str, suffix: str) -> list[str]:
        start = f"{PurePosixPath(record).parent / folder}/"
        return sorted(name for name in self.archive.namelist() if name.startswith(start) and name.endswith(suffix))


@dataclass(frozen=True)
class InMemory:
    """Files kept in memory after their bundle was closed, with errors for files that could not be read."""

    files: dict[str, bytes | RecordError | None]
    where: str  # the record they belong to, as named in messages

    def shown(self, name: str) -> str:
        return f"{self.where.rpartition(':')[0]}:{name}"

    def read(self, name: str) -> bytes | None:
        content = self.files.get(name)
        if isinstance(content, RecordError):
            raise content
        return content

    def beside(self, record: str, folder: str, suffix: str) -> list[str]:  # noqa: ARG002
        return []


@dataclass(frozen=True)
class RecordFile:
    """The unread file of a record, and the names of the files that belong to it."""

    source: Source
    name: str

    @property
    def where(self) -> str:
        """Its name in messages."""
        return self.source.shown(self.name)

    @property
    def folder(self) -> str:
        """The name of its folder in messages."""
        return posixpath.dirname(self.where) or "."

    @property
    def stem(self) -> str:
        """The run id, if the file is named correctly."""
        return posixpath.splitext(posixpath.basename(self.name))[0]

    @property
    def arrays(self) -> str:
        """The name of the file with the stored arrays."""
        return f"{posixpath.splitext(self.name)[0]}{ARRAYS}"

    @property
    def trace(self) -> str:
        """The name of the file with its trace."""
        return f"{posixpath.splitext(self.name)[0]}{TRACE}"

    def units(self, record: Record) -> str:
        """The name of the file with the units of its test split."""
        return units_path(Path(self.name), record.split_digest).as_posix()

    def read(self, name: str) -> bytes | None:
        """A file of the same source, see `Source.read`."""
        return self.source.read(name)
