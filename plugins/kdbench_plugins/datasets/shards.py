"""Webdataset shards in CLIP_benchmark's layout: <split>/0.tar, 1.tar …, nshards.txt; in the tar files KEY.jpg and KEY.txt.

Every line of a KEY.txt is a caption. Each shard is scanned once, from header to header; images are then read directly from
the shard. CLIP_benchmark's own export names images s0000000, s0000001 … in the order of its source: such shards give the same
pixels and captions as other forms, in that order.
"""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from kdbench import KdbenchError
from kdbench_plugins.datasets.blobs import ShardBlob
from kdbench_plugins.datasets.items import NAMES, Item, captions_of, split_named
from kdbench_plugins.datasets.ondisk import Index

PICTURES = ("jpg", "jpeg", "png", "webp")
TEXT = "txt"
BLOCK = 512


def shard_index(root: Path, name: str) -> Index | None:  # noqa: ARG001
    """The index of a root that holds folders of tar files, named by split."""
    folders = split_folders(root)
    if not folders:
        return None
    shards = tuple(shard for folder in folders for shard in sorted(folder.glob("*.tar")))
    return Index(root, (), shards, lambda: [item for folder in folders for item in _read_folder(folder)])


def split_folders(root: Path) -> list[Path]:
    """The folders of shards in a root, by split."""
    return [folder for folder in sorted(root.iterdir()) if folder.name.lower() in NAMES and any(folder.glob("*.tar"))]


def _read_folder(folder: Path) -> list[Item]:
    return [item for shard in shards_in(folder) for item in read_shard(shard)]


def shards_in(folder: Path) -> list[Path]:
    """All shards of a folder, in order. Raises KdbenchError if one that nshards.txt counts is missing."""
    shards = sorted(folder.glob("*.tar"))
    listed = folder / "nshards.txt"
    if listed.is_file():
        text = listed.read_text(encoding="utf-8").strip()
        if not text.isdecimal():
            raise KdbenchError(f"{listed}: found {text[:40]!r}, expected the number of shards")
        missing = [folder / f"{position}.tar" for position in range(int(text)) if not (folder / f"{position}.tar").is_file()]
        if missing:
            raise KdbenchError(f"{missing[0]}: is missing; {listed} lists {text} shards, found {len(shards)}")
    return shards


def read_shard(shard: Path) -> list[Item]:
    """The items of one shard. Raises KdbenchError with the shard, and with the member at which it is truncated."""
    split = split_named(shard.parent.name, str(shard))
    pictures: dict[str, ShardBlob] = {}
    texts: dict[str, tuple[str, ...]] = {}
    for member, data in _members(shard):
        folder, _, name = member.member.rpartition("/")
        stem, _, extension = name.partition(".")
        key = str(PurePosixPath(folder, stem))
        kept: dict[str, ShardBlob] | dict[str, tuple[str, ...]] = texts if extension.lower() == TEXT else pictures
        if extension.lower() in (*PICTURES, TEXT) and key in kept:
            raise KdbenchError(f"{shard}: {member.member} occurs twice")
        if extension.lower() in PICTURES:
            pictures[key] = member
        elif extension.lower() == TEXT:
            texts[key] = _captions(data, member.source)
    for ours, theirs, lacks in (
        (pictures, texts, "caption file KEY.txt"),
        (texts, pictures, f"image KEY.{'/'.join(PICTURES)}"),
    ):
        alone = sorted(ours.keys() - theirs.keys())
        if alone:
            raise KdbenchError(f"{shard}: {alone[0]} has no {lacks}")
    return [Item(PurePosixPath(key).name, split, texts[key], blob) for key, blob in pictures.items()]


def _captions(data: bytes, where: str) -> tuple[str, ...]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise KdbenchError(f"{where}: is not UTF-8 ({error})") from error
    return captions_of(text.rstrip("\r\n").split("\n"), where)


def _members(shard: Path) -> list[tuple[ShardBlob, bytes]]:
    """The files of a shard; texts with their contents."""
    found: list[tuple[ShardBlob, bytes]] = []
    length = shard.stat().st_size
    end = 0
    try:
        with shard.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                end = member.offset_data + -(-member.size // BLOCK) * BLOCK
                blob = ShardBlob(shard, member.name, member.offset_data, member.size)
                if member.offset_data + member.size > length:
                    raise _cut(shard, f"{member.name} ends at byte {member.offset_data + member.size:,}", length)
                if member.isfile():
                    found.append((blob, blob.read() if member.name.lower().endswith(f".{TEXT}") else b""))
            stream.seek(end)
            closed = stream.read(BLOCK) == bytes(BLOCK)
    except (tarfile.TarError, EOFError) as error:
        last = f"the last member found is {found[-1][0].member}" if found else "no member was found"
        raise KdbenchError(f"{shard}: is not a complete tar file ({error}); {last}: download the shard again") from error
    if not closed:  # truncated between two members, which tarfile treats as the end
        raise _cut(shard, f"nothing follows {found[-1][0].member if found else 'its beginning'}, not even an end mark", length)
    return found


def _cut(shard: Path, what: str, length: int) -> KdbenchError:
    return KdbenchError(f"{shard}: is truncated: {what}, the file has {length:,} bytes; download the shard again")
