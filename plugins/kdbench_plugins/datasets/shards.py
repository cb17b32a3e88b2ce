"""Webdataset shards in CLIP_benchmark's layout: <split>/0.tar, 1.tar …, nshards.txt; in the tar files KEY.jpg and KEY.txt.

Every line of a KEY.txt is a caption. Each shard is scanned once, from header to header; images are then read directly from
the shard. CLIP_benchmark's own export names images s0000000, s0000001 … in the order of its source: such shards give the same
pixels and captions as other forms, in that order. A key is unique in its split.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from kdbench import KdbenchError
from kdbench_plugins.datasets.items import NAMES, Item, split_named
from kdbench_plugins.datasets.ondisk import Index
from kdbench_plugins.datasets.shard_members import members
from kdbench_plugins.datasets.shard_pairs import LINES, Aside, pairs

COMPRESSED = (".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4", ".tbz2", ".txz")
COUNT = "nshards.txt"


def shard_index(root: Path, name: str) -> Index | None:  # noqa: ARG001
    """The index of a root that holds folders of tar files, named by split."""
    folders = split_folders(root)
    if not folders:
        return None
    shards = tuple(shard for folder in folders for shard in tars(folder))
    notes: list[str] = []
    return Index(root, (), shards, lambda: _read(root, folders, notes), notes)


def _read(root: Path, folders: Sequence[Path], notes: list[str]) -> list[Item]:
    found: list[Item] = []
    notes[:] = folder_notes(root, folders)
    for folder in folders:
        aside = Aside()
        items = [item for shard in shards_in(folder) for item in read_shard(shard, aside)]
        notes += shard_notes(folder.name, aside, len(items))
        found += items
    return found


def split_folders(root: Path) -> list[Path]:
    """The folders of shards in a root, by split."""
    return [folder for folder in sorted(root.iterdir()) if folder.name.lower() in NAMES and folder.is_dir() and tars(folder)]


def tars(folder: Path) -> list[Path]:
    """The shards of a folder, in order."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".tar" and not path.name.startswith("."))


def shards_in(folder: Path) -> list[Path]:
    """All shards of a folder, in order. Raises KdbenchError if they are compressed, or not those that nshards.txt counts."""
    shards = tars(folder)
    packed = sorted(path for path in folder.iterdir() if path.name.lower().endswith(COMPRESSED))
    if packed:
        raise KdbenchError(
            f"{packed[0]}: is a compressed shard, one of {len(packed):,}; expected plain tar files, in which images are read "
            "where they lie: decompress it"
        )
    listed = folder / COUNT
    if listed.is_file():
        text = listed.read_text(encoding="utf-8", errors="replace").strip()
        if not (text.isascii() and text.isdecimal()):
            raise KdbenchError(f"{listed}: found {text[:40]!r}, expected the number of shards")
        missing = next((path for number in range(int(text)) if not (path := folder / f"{number}.tar").is_file()), None)
        if missing:
            raise KdbenchError(f"{missing}: is missing; {listed} lists {text} shards, found {len(shards)}")
        expected = {f"{number}.tar" for number in range(int(text))}
        more = [shard for shard in shards if shard.name not in expected]
        if more:
            raise KdbenchError(
                f"{more[0]}: found {len(shards)} shards, {listed} lists {text}; mend the number, or remove the shards that are "
                "not part of the dataset"
            )
    return shards


def folder_notes(root: Path, folders: Iterable[Path]) -> list[str]:
    """What a root holds beside the shards of its splits, and splits that several folders make."""
    notes = []
    read = list(folders)
    for folder in read:
        others = sorted(path.name for path in folder.iterdir() if path.name != COUNT)
        others = [name for name in others if not (name.lower().endswith(".tar") and not name.startswith("."))]
        if others:
            notes.append(
                f"{folder.name}: {len(others):,} files or folders that are no shards, such as {others[0]}, are not read"
            )
    for split in dict.fromkeys(NAMES[folder.name.lower()] for folder in read):
        names = [folder.name for folder in read if NAMES[folder.name.lower()] == split]
        if len(names) > 1:
            notes.append(f"the split {split} is read from the folders {' and '.join(names)}")
    unread = sorted(path for path in root.iterdir() if path not in read and _holds_shards(path))
    if unread:
        notes.append(f"{root}: {len(unread):,} shards or folders of shards without a split's name, such as {unread[0].name}")
    return notes


def _holds_shards(path: Path) -> bool:
    return path.suffix.lower() == ".tar" or (path.is_dir() and bool(tars(path)))


def shard_notes(folder: str, aside: Aside, count: int) -> list[str]:
    """What was left aside or chosen in the shards of a folder that hold `count` pairs."""
    if aside.found.get(LINES, (0, ""))[0] == count:
        aside.found.pop(LINES, None)  # several captions for each picture: the form as it is meant
    return [f"{folder}: {line}" for line in aside.lines()]


def read_shard(shard: Path, aside: Aside | None = None) -> list[Item]:
    """The items of one shard, those that cannot be used included. Adds to `aside` what is not read.

    Raises KdbenchError with the shard, and with the member at which it is truncated.
    """
    split = split_named(shard.parent.name, str(shard))
    noted = Aside() if aside is None else aside
    found, special = members(shard)
    for name in special:
        noted.add("members that are neither files nor links", f"{shard}: {name}")
    return pairs(shard, split, found, noted)
