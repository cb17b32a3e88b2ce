"""Images with their captions, in whatever form they are stored, and the checks on all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from kdbench import KdbenchError, SplitName, nearest
from kdbench_plugins.datasets.blobs import Blob

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
SHOWN = 5  # problems of one kind that are listed; the rest are counted


@dataclass(frozen=True, slots=True)
class Item:
    """One image. `key` is its name in all forms of a dataset and their sort key; `concept` is the key by default."""

    key: str
    split: SplitName
    captions: tuple[str, ...]
    blob: Blob
    image_id: str = ""
    concept: str = ""


def split_named(name: Any, where: str) -> SplitName:
    """The split that a file calls `name`. Raises KdbenchError if the name is unknown."""
    found = NAMES.get(str(name).strip().lower())
    if found is None:
        raise KdbenchError(f"{where}: found the split {name!r}; {nearest(name, NAMES)}")
    return found


def key_of(filename: str) -> str:
    """`images/123.jpg` → `123`, the name of the image in a shard."""
    name: str = filename.replace("\\", "/").rpartition("/")[2]
    return name.partition(".")[0]


def captions_of(value: Any, where: str) -> tuple[str, ...]:
    """A list of captions, stripped of white space. Raises KdbenchError for an invalid one, counting from 1."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Sequence):
        raise KdbenchError(f"{where}: found captions of type {type(value).__name__}, expected a string or a list of them")
    if not texts:
        raise KdbenchError(f"{where}: has no caption")
    return tuple(_caption(text, f"{where}: caption {position}") for position, text in enumerate(texts, 1))


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
    return str(stripped)


def in_order(items: Iterable[Item], whose: str) -> list[Item]:
    """The items, sorted by key. Raises KdbenchError for an image that occurs twice, in particular in two splits, and for an
    empty split."""
    ordered = sorted(items, key=lambda item: item.key)
    for what, field in (("image", "key"), ("image id", "image_id"), ("file", "source")):
        _refuse_repeated(ordered, what, field, whose)
    counts = {name: sum(item.split == name for item in ordered) for name in SPLITS}
    missing = [name for name, count in counts.items() if not count]
    if missing:
        found = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
        raise KdbenchError(f"{whose}: no images of the split {' and '.join(missing)}; found {found or 'none at all'}")
    return ordered


def _refuse_repeated(items: list[Item], what: str, field: str, whose: str) -> None:
    seen: dict[str, Item] = {}
    leaks: list[str] = []
    twice: list[str] = []
    for item in items:
        name = str(item.blob.source if field == "source" else getattr(item, field))
        other = seen.setdefault(name, item) if name else item
        if other is not item:
            places = f"{what} {name!r}: {other.split} ({other.blob.source}) and {item.split} ({item.blob.source})"
            (leaks if other.split != item.split else twice).append(places)
    if leaks:
        raise KdbenchError(f"{whose}: found {_count(leaks, 'image')} in two splits, which would leak: {listed(leaks)}")
    if twice:
        raise KdbenchError(f"{whose}: found {_count(twice, 'image')} twice: {listed(twice)}")


def _count(found: list[str], what: str) -> str:
    return f"{len(found):,} {what}{'s' if len(found) > 1 else ''}"


def listed(found: list[str]) -> str:
    """The first problems of a list, with the number of further ones."""
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more
