"""What reading shards keeps to: pairs as a slow reader finds them, every member accounted for, none lost without a word."""

from __future__ import annotations

import posixpath
from collections import Counter
from pathlib import Path

from kdbench import KdbenchError
from kdbench_plugins.datasets.quarantine import left_in
from kdbench_plugins.datasets.shard_members import BLOCK
from kdbench_plugins.datasets.shard_pairs import LINES, PREFIXED, Aside
from kdbench_plugins.datasets.shards import read_shard
from tests.support.picture_inputs import Damage
from tests.support.shard_inputs import Entry, write_shard
from tests.support.slow_shards import slow_pairs


def shard_agrees(path: Path, entries: list[Entry]) -> None:
    """Pairs, pictures and captions are the slow reader's; each other member is in an item with an error, or counted."""
    write_shard(path, entries)
    expected, total = slow_pairs(path)
    aside = Aside()
    items = read_shard(path, aside)
    usable = {_key(item.blob.source): item for item in items if not item.error}
    assert usable.keys() == expected.keys()
    for key, (picture, captions) in expected.items():
        assert usable[key].blob.read() == picture
        assert list(usable[key].captions) == captions
    named = sum(len(item.names) for item in items)
    mentioned = sum(len(item.error.partition("; found ")[2].split(", ")) for item in items if "; found " in item.error)
    counted = sum(count for kind, (count, _) in aside.found.items() if kind not in (LINES, PREFIXED))
    assert named + mentioned + counted == total
    assert Counter(name for item in items for name in item.names) <= Counter(f"{path}: {entry.name}" for entry in entries)


def _key(source: str) -> str:
    return posixpath.normpath(source.partition(".tar: ")[2]).rpartition(".")[0]


def everything_can_be_left_out(path: Path, entries: list[Entry]) -> None:
    """Each item goes by any of its names, alone; without all that cannot be used, the rest stays as it was."""
    write_shard(path, entries)
    items = read_shard(path)
    for number, item in enumerate(items):
        for name in item.names:
            left = left_in(items, [name], path.parent, None, "shards")
            assert left == items[:number] + items[number + 1 :] or items.count(item) > 1
    wrong = [item.names[0] for item in items if item.error]
    assert left_in(items, wrong, path.parent, None, "shards") == [item for item in items if not item.error]


def nothing_is_lost_without_a_word(path: Path, entries: list[Entry], damage: Damage) -> None:
    """A damaged shard is refused, or as many members are named and counted as before."""
    whole = write_shard(path, entries)
    before = _accounted(path)
    path.write_bytes(damage.of(whole))
    refused = _refusal(path)
    if refused:
        assert str(path) in refused
        return
    after = _accounted(path)
    data = path.read_bytes()
    assert len(data) % BLOCK == 0
    # What is wholly zero from a place on is how a tar file ends, and a header stands for itself: nothing counts whole blocks.
    ended = whole.startswith(data.rstrip(b"\0"))
    assert after == before or ended or (damage.kind == "lost" and after < before)


def _accounted(path: Path) -> int:
    aside = Aside()
    items = read_shard(path, aside)
    counted = sum(count for kind, (count, _) in aside.found.items() if kind not in (LINES, PREFIXED))
    mentioned = sum(len(item.error.partition("; found ")[2].split(", ")) for item in items if "; found " in item.error)
    return sum(len(item.names) for item in items) + mentioned + counted


def two_in_one_are_refused(path: Path, first: list[Entry], second: list[Entry]) -> None:
    """`cat one.tar two.tar`: tar programs stop after the first."""
    joined = write_shard(path, first) + write_shard(path, second)
    path.write_bytes(joined)
    assert "after the end mark" in _refusal(path)


def any_bytes_are_refused(path: Path) -> None:
    """What is no tar file is refused by its name; only zeros are an empty one."""
    assert str(path) in _refusal(path) or not path.read_bytes().strip(b"\0")


def _refusal(path: Path) -> str:
    """Why a shard is refused; empty if it is read. No other exception is raised."""
    try:
        read_shard(path)
    except KdbenchError as error:
        return str(error)
    return ""
