"""Images with their captions, in whatever form they are stored, and the checks on all of them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from kdbench import KdbenchError, SplitName, nearest
from kdbench_plugins.datasets.blobs import Blob, same_bytes
from kdbench_plugins.datasets.texts import caption_fault

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
# `restval`: images of COCO's validation set outside Karpathy's validation and test splits, by custom used for training.
NAMES: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "restval": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
}
# Captions of known datasets have less than 1,000 characters. A longer one comes from a misread file, such as an unclosed
# quotation mark; a tokenizer would truncate it silently.
LONGEST = 5_000
Key = tuple[str, ...]
SHOWN = 5  # problems of one kind that are listed; the rest are counted


@dataclass(frozen=True, slots=True)
class Item:
    """One image. `key` is its whole name and sorts alike in all forms of a dataset; `concept` is the key by default.

    `error` says why it cannot be used, with its place; it is refused unless a quarantine list names it, by the source of its
    picture or by a name in `also`. With `per_split`, the key is unique in its split only. `synthetic` are captions that a
    model wrote, for training.
    """

    key: Key
    split: SplitName
    captions: tuple[str, ...]
    blob: Blob
    image_id: str = ""
    concept: str = ""
    error: str = ""
    also: tuple[str, ...] = ()
    per_split: bool = False
    synthetic: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The name of the image's file without folders; of a key of one part, such as a path in a table, the whole."""
        return self.key[2] if len(self.key) > 2 else self.key[0]

    @property
    def caption_ids(self) -> list[str]:
        """`photo.jpg#0`, `photo.jpg#1` …, as in Flickr30k's file of captions, then `photo.jpg#synthetic0` …."""
        own = [f"{self.id}#{position}" for position in range(len(self.captions))]
        return own + [f"{self.id}#synthetic{position}" for position in range(len(self.synthetic))]

    @property
    def group(self) -> Key:
        """What an item shares with those of its concept."""
        return (self.concept,) if self.concept else self.key

    @property
    def names(self) -> tuple[str, ...]:
        """What a quarantine list may call it, its picture first."""
        return (self.blob.source, *self.also)


def split_named(name: Any, where: str) -> SplitName:
    """The split that a file calls `name`. Raises KdbenchError if the name is unknown."""
    found = NAMES.get(str(name).strip().lower())
    if found is None:
        raise KdbenchError(f"{where}: found the split {name!r}; {nearest(name, NAMES)}")
    return found


def key_of(filename: str, *more: str) -> Key:
    """`images/photo.3.jpg` → (`photo.3`, `images`, `photo.3.jpg`): the whole name, with `more` that tells images apart.

    The stem comes first, so that a dataset has the same order in every form, whether or not the form has folders and suffixes.
    """
    folder, _, name = filename.replace("\\", "/").rpartition("/")
    stem, _, suffix = name.rpartition(".")
    return (stem if stem and suffix else name, folder, name, *more)


def captions_of(value: Any, where: str) -> tuple[str, ...]:
    """A list of captions, stripped of white space. Raises KdbenchError for an invalid one, counting from 1."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise KdbenchError(f"{where}: found captions of type {type(value).__name__}, expected a string or a list of them")
    if not texts:
        raise KdbenchError(f"{where}: has no caption")
    return tuple(_caption(text, f"{where}: caption {position}") for position, text in enumerate(texts, 1))


def captions_or_error(value: Any, where: str) -> tuple[tuple[str, ...], str]:
    """The captions and an empty string, or none and what is wrong with them: the `captions` and the `error` of an item."""
    try:
        return captions_of(value, where), ""
    except KdbenchError as error:
        return (), str(error)


def _caption(text: Any, where: str) -> str:
    if not isinstance(text, str):
        raise KdbenchError(f"{where}: found {text!r}, expected a string")
    stripped = text.strip()
    if not stripped:
        raise KdbenchError(f"{where} is empty")
    if len(stripped) > LONGEST:
        begins = f"{stripped[:40]!r}…"
        raise KdbenchError(
            f"{where} has {len(stripped):,} characters ({begins}), expected at most {LONGEST:,}: is the file complete?"
        )
    fault = caption_fault(stripped)
    if fault:
        raise KdbenchError(f"{where}: {fault}")
    return str(stripped)


def in_order(items: Iterable[Item], whose: str) -> list[Item]:
    """The items, sorted by key. Raises KdbenchError for an image that occurs twice, in particular in two splits, and for an
    empty split."""
    ordered = sorted(items, key=lambda item: item.key)
    for what in ("image", "image id", "file"):
        _refuse_repeated(ordered, what, whose)
    counts = {name: sum(item.split == name for item in ordered) for name in SPLITS}
    missing = [name for name, count in counts.items() if not count]
    if missing:
        found = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
        raise KdbenchError(f"{whose}: no images of the split {' and '.join(missing)}; found {found or 'none at all'}")
    return ordered


def _refuse_repeated(items: list[Item], what: str, whose: str) -> None:
    seen: dict[Key, list[Item]] = {}
    leaks: list[str] = []
    twice: list[str] = []
    for item in items:
        name = {"image": item.key, "image id": (item.image_id,), "file": (item.blob.source,)}[what]
        others = seen.setdefault(name, []) if name[0] else []
        other = next((other for other in others if what != "image" or _one_image(item, other)), None)
        others.append(item)
        if other is not None:
            places = f"{what} {name[0]!r}: {other.split} ({other.blob.source}) and {item.split} ({item.blob.source})"
            (leaks if other.split != item.split else twice).append(places)
    if leaks:
        raise KdbenchError(f"{whose}: found {_count(leaks, 'image')} in two splits, which would leak: {listed(leaks)}")
    if twice:
        raise KdbenchError(f"{whose}: found {_count(twice, 'image')} twice: {listed(twice)}")


def _one_image(item: Item, other: Item) -> bool:
    """Whether two items with one key are one image. Keys that begin anew in each split say nothing there: the bytes decide."""
    return other.split == item.split or not item.per_split or same_bytes(item.blob, other.blob)


def _count(found: list[str], what: str) -> str:
    return f"{len(found):,} {what}{'s' if len(found) > 1 else ''}"


def listed(found: list[str]) -> str:
    """The first problems of a list, with the number of further ones."""
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more
