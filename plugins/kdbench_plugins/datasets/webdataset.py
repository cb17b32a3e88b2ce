"""The dataset `webdataset`: millions of your own pairs in tar files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import Dataset, KdbenchError, Offer, PlacedImages, Split, SplitName, hookimpl, nearest
from kdbench.data.picture_file import square
from kdbench_plugins.datasets.blobs import ShardBlob
from kdbench_plugins.datasets.items import NAMES, SPLITS
from kdbench_plugins.datasets.miniature import check_miniature, miniature_folder
from kdbench_plugins.datasets.ondisk import Size, stat_of
from kdbench_plugins.datasets.pictures import decoders, original
from kdbench_plugins.datasets.quarantine import check_list, lines_of
from kdbench_plugins.datasets.shard_table import ComputedStrings, ShardTable
from kdbench_plugins.datasets.shards import folder_notes, read_shard, shard_notes, shards_in, split_folders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 2  # raise when this code returns other pixels, captions or concepts for the same files
SPLIT_BITS = 40  # bits by which a split's index is shifted to give its first concept: other splits then need not be counted


class WebDataset:
    """Tar files in the folders `train`, `val`, `test` of `root` hold KEY.jpg (png, webp …) and KEY.txt, one caption per line.

    img2dataset and CLIP_benchmark write this form. KEY is all before the last dot; every image is its own concept. Members that
    are not read are counted in `notes`. With `stream`, images of the train split are decoded whenever they are read; without
    it, they are decoded once into the cache. `size` is the side in pixels. `quarantine` is a file that lists pairs to leave out
    by the source of their image or caption, one per line. With `miniature`, small shards of emoji images are created once and
    used instead of `root`.
    """

    def __init__(
        self,
        *,
        root: Path | None = None,
        size: Size = 224,
        stream: bool = True,
        quarantine: Path | None = None,
        licence: str = "not stated",
        miniature: bool = False,
    ) -> None:
        self._root = miniature_folder("webdataset") if miniature else _root(root)
        self.size = size
        self.streamed = stream
        self.licence = licence
        self._shards = _shards(self._root)
        self._files = [shard for name in SPLITS for shard in self._shards[name]]
        self._quarantine = None if miniature else quarantine
        self._unwanted = self._sources(self._quarantine)
        self.fingerprint = self._fingerprint()
        self._splits: dict[SplitName, Split] = {}
        self._notes: dict[SplitName, list[str]] = {}

    @property
    def files(self) -> list[Path]:
        """Everything that is read: the shards, and the quarantine list."""
        return [*self._files, *([self._quarantine] if self._quarantine else [])]

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading the shards left aside or chose."""
        for name in SPLITS:
            self.split(name)
        told = [line for name in SPLITS for line in self._notes[name]]
        return (*folder_notes(self._root, split_folders(self._root)), *told)

    def _fingerprint(self) -> str:
        """A hash of the names, sizes and times of the shards, the size of the images, what decodes them, and those left out."""
        shards = [(str(shard.relative_to(self._root)), *stat_of(shard)) for shard in self._files]
        unwanted = sorted(line.removeprefix(f"{self._root}/") for line in self._unwanted)
        made_of = ["webdataset", FORMAT, self.size, decoders(), shards, unwanted]
        return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()

    def split(self, name: SplitName) -> Split:
        """One split, in the order of its shards."""
        if name not in SPLITS:
            raise KdbenchError(f"dataset webdataset has no split {name!r}: {nearest(name, SPLITS)}")
        if name not in self._splits:
            self._splits[name] = self._read(name)
        return self._splits[name]

    def _read(self, name: SplitName) -> Split:
        import numpy as np

        table = ShardTable(self._shards[name], self._unwanted, self._quarantine)
        count = len(table.places)
        if not count:
            raise KdbenchError(f"dataset webdataset in {self._root}: no pairs of the split {name}")
        self._notes[name] = shard_notes(name, table.aside, count)
        concepts = np.arange(count, dtype=np.int64) + (SPLITS.index(name) << SPLIT_BITS)
        files = [str(shard.relative_to(self._root)) for shard in self._shards[name]]
        return Split(
            images=PlacedImages(self._square_checked, files, table.places),
            originals=PlacedImages(self._original_checked, files, table.places),
            square=partial(square, size=self.size),
            captions=ComputedStrings(int(table.counts.sum()), table.caption),
            image_concepts=concepts,
            caption_concepts=np.repeat(concepts, table.counts),
            sources=ComputedStrings(count, table.source),
            image_ids=ComputedStrings(count, table.image_id),
            caption_ids=ComputedStrings(int(table.counts.sum()), table.caption_id),
        )

    def read_image(self, file: str, offset: int, size: int) -> NDArray[np.uint8]:
        """One image, uint8 [size, size, 3], at `offset` of a shard. Raises KdbenchError with both if it cannot be decoded.

        Does not look for damage again in every epoch: the images and originals of a split, read once for the digest, do.
        """
        return square(self.read_original(file, offset, size), self.size)

    def read_original(self, file: str, offset: int, size: int) -> NDArray[np.uint8]:
        """One original picture, uint8 [height, width, 3], at `offset` of a shard. Raises KdbenchError as `read_image` does."""
        return self._decode(file, offset, size, checked=False)

    def _square_checked(self, file: str, offset: int, size: int) -> NDArray[np.uint8]:
        return square(self._original_checked(file, offset, size), self.size)

    def _original_checked(self, file: str, offset: int, size: int) -> NDArray[np.uint8]:
        return self._decode(file, offset, size, checked=True)

    def _decode(self, file: str, offset: int, size: int, checked: bool) -> NDArray[np.uint8]:
        shard = self._root / file
        data = ShardBlob(shard, f"the image at byte {offset:,}", offset, size).read()
        try:
            return original(data, checked)
        except KdbenchError as error:
            sources = [item.blob.source for item in read_shard(shard) if getattr(item.blob, "offset", -1) == offset]
            raise KdbenchError(f"{sources[0] if sources else shard}: {error}") from error

    def _sources(self, quarantine: Path | None) -> frozenset[str]:
        """The sources to leave out as full paths; the list may be relative to the root: `train/0.tar: KEY.jpg`."""
        check_list(quarantine, "dataset webdataset")
        known = {f"{shard}" for shard in self._files}
        found = set()
        for line in lines_of(quarantine):
            whole = line if os.path.isabs(line) else f"{self._root}{os.sep}{line}"
            if not any(whole[: colon.start()] in known for colon in re.finditer(": ", whole)):
                shard = line.partition(": ")[0]
                hint = nearest(str(self._root / shard), known)
                raise KdbenchError(f"{quarantine}: {shard!r} is not a shard of the dataset; {hint}")
            found.add(whole)
        return frozenset(found)


def _root(root: Path | None) -> Path:
    if root is None:
        raise KdbenchError(
            "dataset webdataset: no folder is given; set `root:` to one that holds train, val and test with shards of pairs. "
            "To try things out without one: `miniature: true`"
        )
    found = root.expanduser().absolute()
    if not found.is_dir():
        raise KdbenchError(f"dataset webdataset: root: {found} is not a folder")
    return found


def _shards(root: Path) -> dict[SplitName, list[Path]]:
    """The shards of every split. Raises KdbenchError if a split has none."""
    found: dict[SplitName, list[Path]] = {name: [] for name in SPLITS}
    for folder in split_folders(root):
        found[NAMES[folder.name.lower()]] += shards_in(folder)
    missing = [name for name in SPLITS if not found[name]]
    if missing:
        held = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
        raise KdbenchError(
            f"dataset webdataset: {root} holds {held}; expected folders train, val and test of shards, found none of the split "
            f"{' and '.join(missing)}"
        )
    return found


def check(
    *,
    root: Path | None,
    size: int,  # noqa: ARG001
    stream: bool,  # noqa: ARG001
    quarantine: Path | None,  # noqa: ARG001
    licence: str,  # noqa: ARG001
    miniature: bool,
) -> None:
    """Raises KdbenchError if the shards are not found."""
    if miniature:
        check_miniature()
    else:
        _shards(_root(root))


@hookimpl
def kdbench_datasets() -> list[Offer[Dataset]]:
    summary = "millions of your own image-text pairs in webdataset shards, optionally streamed"

    def smoke(params: dict[str, Any]) -> dict[str, Any]:
        return {**params, "root": None, "quarantine": None, "miniature": True, "size": 64}

    def reads(**params: Any) -> list[Path]:
        return WebDataset(**params).files

    example, shown = {"miniature": True}, {"root": "shards"}
    return [Offer("webdataset", WebDataset, summary, check, reads=reads, example=example, shown=shown, smoke=smoke)]
