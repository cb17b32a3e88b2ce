"""A dataset of items on disk: its splits, its fingerprint, and the images to leave out."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field

from kdbench import KdbenchError, Split, SplitName, nearest
from kdbench.data.picture_file import square
from kdbench.errors import of_machine
from kdbench_plugins.datasets.items import Item, Key, in_order
from kdbench_plugins.datasets.photographs import Photographs
from kdbench_plugins.datasets.pictures import decoders
from kdbench_plugins.datasets.quarantine import check_list, left_in, lines_of, refuse_unusable

FORMAT = 2  # raise when this code returns other pixels, captions, concepts or another order for the same files
Size = Annotated[int, Field(ge=16, le=1024)]


@dataclass(frozen=True)
class Index:
    """The location of a dataset. `read` returns its items; without `archives` every item is a separate file.

    `read` adds to `notes` what it leaves aside or chooses.
    """

    root: Path
    annotations: tuple[Path, ...]  # hashed whole
    archives: tuple[Path, ...]  # files that hold many images: identified by name, size and time
    read: Callable[[], list[Item]]
    notes: list[str] = field(default_factory=list)


class OnDisk:
    """Base class of datasets on disk. The constructor reads annotations; images are read one by one.

    `published` holds the numbers of images and captions per split that the source states, if it does; `kdbench data check`
    reports differences. `synthetic_share` is the probability that an image with synthetic captions is shown with one of them.
    """

    def __init__(
        self,
        name: str,
        licence: str,
        size: int,
        index: Index,
        quarantine: Path | None = None,
        published: dict[SplitName, tuple[int, int]] | None = None,
        settings: dict[str, Any] | None = None,
        synthetic_share: float = 0.0,
    ) -> None:
        check_list(quarantine, f"dataset {name}")
        self.name = name
        self.licence = licence
        self.size = size
        self.published = published or {}
        self._index = index
        self._quarantine = quarantine
        self._settings = settings or {}
        self._synthetic_share = synthetic_share
        self._splits: dict[str, Split] = {}
        self._reading = threading.Lock()
        self._read: list[Item] | None = None
        self.fingerprint = self._fingerprint()

    @property
    def _items(self) -> list[Item]:
        """The items without those left out, in order. The index of a concept among all concepts is its id."""
        with self._reading:  # `cached_property` would let several threads read the index, and add to its notes, at once
            if self._read is None:
                self._read = self._read_index()
            return self._read

    def _read_index(self) -> list[Item]:
        whose = f"dataset {self.name} in {self._index.root}"
        unwanted = lines_of(self._quarantine)
        items = left_in(self._index.read(), unwanted, self._index.root, self._quarantine, self.name)
        refuse_unusable(items, whose)
        return in_order(items, whose)

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading the index left aside or chose."""
        _ = self._items
        return tuple(self._index.notes)

    @property
    def files(self) -> list[Path]:
        """Everything that is read: annotations, the quarantine list, archives or images."""
        quarantine = [self._quarantine] if self._quarantine else []
        return [*self._index.annotations, *quarantine, *(self._index.archives or [item.blob.path for item in self._items])]

    def _fingerprint(self) -> str:
        """A hash of the annotations' contents, the names, sizes and times of images or archives, the parameters, and the
        versions of what decodes images."""
        archives = self._index.archives or [item.blob.path for item in self._items]
        made_of = {
            "dataset": self.name,
            "format": FORMAT,
            "size": self.size,
            "decoders": decoders(),
            "settings": self._settings,
            "annotations": {self._relative(str(path)): _digest(path) for path in self._index.annotations},
            "images": [(self._relative(str(path)), *stat_of(path)) for path in archives],
            "quarantine": sorted(lines_of(self._quarantine)),
        }
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    def split(self, name: SplitName) -> Split:
        """One split; images are in the order of their keys, captions in the order of images."""
        known = get_args(SplitName)
        if name not in known:
            raise KdbenchError(f"dataset {self.name} has no split {name!r}: {nearest(name, known)}")
        if name not in self._splits:
            self._splits[name] = self._select(name)
        return self._splits[name]

    def _select(self, name: SplitName) -> Split:
        import numpy as np

        ids = {concept: position for position, concept in enumerate(sorted({_concept(item) for item in self._items}))}
        items = [item for item in self._items if item.split == name]
        concepts = [ids[_concept(item)] for item in items]
        blobs = tuple(item.blob for item in items)
        captions = [item.captions + item.synthetic for item in items]
        return Split(
            images=Photographs(blobs, self.size),
            captions=tuple(caption for own in captions for caption in own),
            image_concepts=np.array(concepts, dtype=np.int64),
            caption_concepts=np.repeat(np.array(concepts, dtype=np.int64), list(map(len, captions))),
            sources=tuple(item.blob.source for item in items),
            originals=Photographs(blobs, None),
            square=partial(square, size=self.size),
            image_ids=tuple(item.id for item in items),
            caption_ids=tuple(one for item in items for one in item.caption_ids),
            caption_weights=self._weights(items),
        )

    def _weights(self, items: Sequence[Item]) -> Sequence[float]:
        """How often each caption is drawn: of an image, one in all; none if no image has synthetic captions."""
        if not any(item.synthetic for item in items):
            return ()
        return tuple(weight for item in items for weight in _weights_of(item, self._synthetic_share))

    def _relative(self, source: str) -> str:
        """The path relative to the root: a dataset may be moved."""
        return source.removeprefix(f"{self._index.root}{os.sep}")


def _concept(item: Item) -> tuple[Key, str]:
    """A name of the item's concept among all splits, which share none."""
    return item.group, item.split


def _weights_of(item: Item, share: float) -> list[float]:
    own, made = len(item.captions), len(item.synthetic)
    return [(1 - share) / own] * own + [share / made] * made if made else [1 / own] * own


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stat_of(path: Path) -> tuple[int, int]:
    """Size and time of a file; of a missing file neither, because reading it raises a better error."""
    try:
        found = os.stat(path)
    except OSError as error:
        if of_machine(error):
            raise
        return -1, -1
    return found.st_size, found.st_mtime_ns
