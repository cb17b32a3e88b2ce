"""Where records lie: in folders, or in a bundle. Both hand out the same things, as bytes."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from zipfile import ZipFile

from kdbench.errors import RecordError
from kdbench.records.record import RANKS, SERIES
from kdbench.storage.archives import UNREADABLE


class Place(Protocol):
    """Files by name, the parts of a name parted by slashes."""

    def shown(self, name: str) -> str:
        """How a person is told of a file."""
        ...

    def read(self, name: str) -> bytes | None:
        """None where there is no such file. Raises RecordError where it cannot be read."""
        ...

    def beside(self, record: str, folder: str, suffix: str) -> list[str]:
        """The files of a kind in a folder that lies beside a record."""
        ...


class Disk:
    """The folders of this machine."""

    def shown(self, name: str) -> str:
        return name

    def read(self, name: str) -> bytes | None:
        try:
            return Path(name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RecordError(f"cannot be read ({error})") from error

    def beside(self, record: str, folder: str, suffix: str) -> list[str]:
        return sorted(map(str, (Path(record).parent / folder).glob(f"*{suffix}")))


@dataclass(frozen=True)
class Packed:
    """A bundle whose names have been looked at."""

    path: Path
    archive: ZipFile

    def shown(self, name: str) -> str:
        return f"{self.path}:{name}"

    def read(self, name: str) -> bytes | None:
        try:
            return self.archive.read(name)
        except KeyError:
            return None
        except UNREADABLE as error:
            raise RecordError(f"cannot be read ({error})") from error

    def beside(self, record: str, folder: str, suffix: str) -> list[str]:
        start = f"{PurePosixPath(record).parent / folder}/"
        return sorted(name for name in self.archive.namelist() if name.startswith(start) and name.endswith(suffix))


@dataclass(frozen=True)
class Held:
    """Files in memory, taken from a bundle that is closed by now; an error stands for one that could not be read."""

    files: dict[str, bytes | RecordError | None]
    where: str  # as people find the record they belong to

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
class Item:
    """A record file, unread, and how to come by what belongs to it."""

    place: Place
    name: str

    @property
    def where(self) -> str:
        return self.place.shown(self.name)

    @property
    def folder(self) -> str:
        """Where it lies, as shown."""
        return posixpath.dirname(self.where) or "."

    @property
    def stem(self) -> str:
        """The run id, if the file is called as it should be."""
        return posixpath.splitext(posixpath.basename(self.name))[0]

    @property
    def ranks(self) -> str:
        return f"{posixpath.splitext(self.name)[0]}{RANKS}"

    @property
    def series(self) -> str:
        return f"{posixpath.splitext(self.name)[0]}{SERIES}"

    def read(self, name: str) -> bytes | None:
        return self.place.read(name)
