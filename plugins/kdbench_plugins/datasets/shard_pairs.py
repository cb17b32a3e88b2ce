"""Members of a shard as pairs: KEY.jpg and KEY.txt, where KEY is the whole name up to its last dot, folder included."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from kdbench import KdbenchError, SplitName
from kdbench_plugins.datasets.items import Item, captions_of, key_of
from kdbench_plugins.datasets.shard_members import Member

PICTURES = ("jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff")
TEXT = "txt"
LINES = "texts of several lines, each read as a caption"
PREFIXED = "pairs whose names continue another pair's name, read as pairs of their own"


@dataclass
class Aside:
    """Members that are not read, or read in a way that is a choice: kind → their number and the first of them."""

    found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, kind: str, example: str, count: int = 1) -> None:
        known, first = self.found.get(kind, (0, example))
        self.found[kind] = known + count, first

    def update(self, other: Aside) -> None:
        for kind, (count, example) in other.found.items():
            self.add(kind, example, count)

    def lines(self) -> list[str]:
        """A line for each kind."""
        return [f"{count:,} {kind}, such as {example}" for kind, (count, example) in sorted(self.found.items())]


@dataclass
class _Pair:
    pictures: list[Member] = field(default_factory=list)
    texts: list[Member] = field(default_factory=list)
    others: list[Member] = field(default_factory=list)  # with a longer extension, such as KEY.small.jpg

    @property
    def complete(self) -> bool:
        return bool(self.pictures and self.texts)


def pairs(shard: Path, split: SplitName, members: Sequence[Member], aside: Aside) -> list[Item]:
    """The items of a shard, in the order of their pictures, then those without one. What cannot be used has an error."""
    grouped, notes = _grouped(members, aside)
    places = {member.name: place for place, member in enumerate(members)}
    found: dict[str, _Pair] = {}
    for key, pair in grouped.items():
        owners = [] if pair.complete else [grouped[start] for start in _starts(key) if start in grouped]
        if owners:
            owner = next((other for other in owners if other.complete), owners[-1])
            owner.others += pair.pictures + pair.texts
        else:
            found[key] = pair
    items: list[tuple[int, Item]] = []
    for key, pair in found.items():
        if pair.complete:
            for other in pair.others:
                aside.add(f"members KEY.{_extension(key, other)} that are not read", other.blob.source)
            for start in _starts(key):
                if start in found and found[start].complete:
                    aside.add(PREFIXED, (pair.pictures + pair.texts)[0].blob.source)
                    break
        place = places[pair.pictures[0].name] if pair.pictures else len(members)
        items.append((place, _item(shard, split, key, pair, notes.get(key), aside)))
    return [item for _, item in sorted(items, key=itemgetter(0))]


def _grouped(members: Iterable[Member], aside: Aside) -> tuple[dict[str, _Pair], dict[str, Member]]:
    """Pictures and texts by key, and JSON files by key."""
    grouped: dict[str, _Pair] = {}
    notes: dict[str, Member] = {}
    for member in members:
        name = posixpath.basename(member.name)
        key, _, extension = posixpath.normpath(member.name).rpartition(".")
        extension = extension.lower()
        if name.startswith("."):
            aside.add("hidden members that are not read", member.blob.source)
        elif extension in PICTURES:
            grouped.setdefault(key, _Pair()).pictures.append(member)
        elif extension == TEXT:
            grouped.setdefault(key, _Pair()).texts.append(member)
        else:
            kind = f"members KEY.{extension}" if "." in name else "members without a suffix"
            aside.add(f"{kind} that are not read", member.blob.source)
            if extension == "json":
                notes[key] = member
    return grouped, notes


def _starts(key: str) -> Iterator[str]:
    """What a key may continue: `a/b.c.d` → `a/b.c`, `a/b`."""
    folder, _, name = key.rpartition("/")
    while "." in name:
        name = name.rpartition(".")[0]
        if name:
            yield posixpath.join(folder, name)


def _extension(key: str, member: Member) -> str:
    return posixpath.normpath(member.name)[len(key) + 1 :]


def _item(shard: Path, split: SplitName, key: str, pair: _Pair, note: Member | None, aside: Aside) -> Item:
    first, *others = [*pair.pictures, *pair.texts]
    captions: tuple[str, ...] = ()
    error = _fault(shard, key, pair)
    if not error:
        try:
            captions = _captions(pair.texts[0], note)
        except KdbenchError as problem:
            error = str(problem)
        if len(captions) > 1:
            aside.add(LINES, pair.texts[0].blob.source)
    also = tuple(member.blob.source for member in others)
    return Item(key_of(first.name), split, captions, first.blob, error=error, also=also, per_split=True)


def _fault(shard: Path, key: str, pair: _Pair) -> str:
    """What is wrong with the members of a pair, if anything is."""
    also = f"; found {', '.join(other.name for other in pair.others)}" if pair.others else ""
    if not pair.texts:
        return f"{shard}: {key} has no caption file KEY.{TEXT}{also}"
    if not pair.pictures:
        return f"{shard}: {key} has no image KEY.{'/'.join(PICTURES)}{also}"
    for kind, what in ((pair.pictures, "picture"), (pair.texts, "caption file")):
        names = [member.name for member in kind]
        if len(set(names)) < len(names):
            return f"{shard}: {names[0]} occurs twice"
        if len(names) > 1:
            return f"{shard}: found {' and '.join(names)}, expected one {what} for {key}"
    return next((member.error for member in (*pair.pictures, *pair.texts) if member.error), "")


def _captions(text: Member, note: Member | None) -> tuple[str, ...]:
    """The lines of a text; one caption where the sample's JSON file says that all lines are one."""
    where = text.blob.source
    try:
        content = text.blob.read().decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise KdbenchError(f"{where}: is not UTF-8 ({error})") from error
    lines = content.split("\n")
    if len(lines) > 1 and note is not None and _same(note, content):
        lines = [content]
    return captions_of(lines, where)


def _same(note: Member, content: str) -> bool:
    """Whether img2dataset's KEY.json has the whole text as its caption."""
    try:
        found = json.loads(note.blob.read())
    except (ValueError, KdbenchError, RecursionError):
        return False
    caption = found.get("caption") if isinstance(found, dict) else None
    return isinstance(caption, str) and caption.strip().replace("\r\n", "\n") == content.strip().replace("\r\n", "\n")
