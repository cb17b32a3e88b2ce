"""The members of a tar file: where the bytes of each lie. Refuses archives of which a part would not be read."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kdbench import KdbenchError
from kdbench.errors import of_machine
from kdbench_plugins.datasets.blobs import ShardBlob

BLOCK = 512
PIECE = 2**20  # bytes read at a time where only zeros are expected
PADDING = 2**20  # bytes of zeros after the last member; more are no padding, but what a download has not filled
LINKS = 40  # links that lead to each other; more are a circle


@dataclass(frozen=True, slots=True)
class Member:
    """A file, or a link to one. `error` says why its bytes cannot be read from the shard."""

    blob: ShardBlob
    error: str = ""

    @property
    def name(self) -> str:
        return self.blob.member


def members(shard: Path) -> tuple[list[Member], list[str]]:
    """The files of a shard in order, links included, and the names of what is neither file, link nor folder.

    Raises KdbenchError if the shard is truncated, damaged, or holds data after its end, with the member where that shows.
    """
    found: list[tarfile.TarInfo] = []
    length = shard.stat().st_size
    end = 0
    try:
        with shard.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                end = archive.offset
                last_byte = min(end, member.offset_data + member.size)  # what is sparse or a link has fewer bytes than its size
                if last_byte > length:
                    raise _cut(shard, f"{member.name} ends at byte {last_byte:,}", length)
                found.append(member)
            stream.seek(end)
            closed = stream.read(BLOCK) == bytes(BLOCK)
            rest = _first_after(stream) if closed else None
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        if of_machine(error):
            raise
        last = f"the last member found is {found[-1].name}" if found else "no member was found"
        raise KdbenchError(f"{shard}: is not a complete tar file ({error}); {last}: download the shard again") from error
    if not closed:  # truncated between two members, which tarfile treats as the end
        raise _cut(shard, f"nothing follows {found[-1].name if found else 'its beginning'}, not even an end mark", length)
    if rest is not None:
        raise KdbenchError(
            f"{shard}: found data at byte {rest:,}, after the end mark behind {found[-1].name if found else 'its beginning'}, "
            "which no tar program reads: are these two archives in one file, or is it damaged? Pack or download the shard again"
        )
    if length - end > PADDING + 2 * BLOCK:
        raise _cut(shard, f"{length - end:,} bytes of zeros follow {found[-1].name if found else 'its beginning'}", length)
    if length % BLOCK:  # where zeros follow, as at its end, nothing else shows that members are lost
        raise KdbenchError(
            f"{shard}: found {length:,} bytes, expected a multiple of {BLOCK}, as every tar program writes: "
            "some are missing, or there are too many; download the shard again"
        )
    return list(_resolved(shard, found)), [member.name for member in found if not (_readable(member) or member.isdir())]


def _resolved(shard: Path, found: list[tarfile.TarInfo]) -> Iterator[Member]:
    files = {posixpath.normpath(member.name): member for member in found if member.isreg()}
    links = {posixpath.normpath(member.name): member for member in found if member.islnk() or member.issym()}
    for member in found:
        if not _readable(member):
            continue
        target: tarfile.TarInfo | None = member
        for _ in range(LINKS):
            if target is None or target.isreg():
                break
            place = target.linkname if target.islnk() else posixpath.join(posixpath.dirname(target.name), target.linkname)
            name = posixpath.normpath(place)
            target = files.get(name) or links.get(name)
        if target is None or not target.isreg():
            blob = ShardBlob(shard, member.name, member.offset_data, 0)
            yield Member(blob, f"{blob.source}: is a link to {member.linkname}, which is not in the shard")
            continue
        blob = ShardBlob(shard, member.name, target.offset_data, target.size)
        sparse = f"{blob.source}: is stored with holes; pack the shard without --sparse" if target.issparse() else ""
        yield Member(blob, sparse)


def _readable(member: tarfile.TarInfo) -> bool:
    return member.isreg() or member.islnk() or member.issym()


def _first_after(stream: BinaryIO) -> int | None:
    """The place of the first byte from here on that is not zero."""
    while piece := stream.read(PIECE):
        rest = piece.lstrip(b"\0")
        if rest:
            return stream.tell() - len(rest)
    return None


def _cut(shard: Path, what: str, length: int) -> KdbenchError:
    return KdbenchError(f"{shard}: is truncated: {what}, the file has {length:,} bytes; download the shard again")
