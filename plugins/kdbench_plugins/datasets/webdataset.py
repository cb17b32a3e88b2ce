"""The dataset `webdataset`: millions of your own pairs in tar files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import Dataset, KdbenchError, Offer, PlacedImages, Split, SplitName, hookimpl, nearest
from kdbench_plugins.datasets.blobs import ShardBlob
from kdbench_plugins.datasets.items import NAMES, SPLITS
from kdbench_plugins.datasets.miniature import check_miniature, miniature_folder
from kdbench_plugins.datasets.ondisk import Size, lines_of, stat_of
from kdbench_plugins.datasets.photographs import decode
from kdbench_plugins.datasets.shard_table import ComputedStrings, ShardTable
from kdbench_plugins.datasets.shards import read_shard, shards_in, split_folders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1  # raise when this code returns other pixels, captions or concepts for the same files
SPLIT_BITS = 40  # bits by which a split's index is shifted to give its first concept: other splits then need not be counted


class WebDataset:
    """The folders `train`, `val` and `test` in `root` hold tar files of KEY.jpg (png, webp) and KEY.txt, one caption per line.

    img2dataset and CLIP_benchmark write this form; other members are ignored, and every image is its own concept. With
    `stream`, images of the train split are decoded whenever they are read; without it, they are decoded once into the cache.
    `size` is the side in pixels. `quarantine` is a file that lists sources of images to leave out, one per line. With
    `miniature`, small shards of emoji images are created once and used instead of `root`.
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
        self._unwanted = self._sources(None if miniature else quarantine)
        self.fingerprint = self._fingerprint()
        self._splits: dict[SplitName, Split] = {}

    def _fingerprint(self) -> str:
        """A hash of the names, sizes and times of the shards, the size of the images, and the images left out."""
        shards = [(str(shard.relative_to(self._root)), *stat_of(shard)) for shard in self._files]
        unwanted = sorted(line.removeprefix(f"{self._root}/") for line in self._unwanted)
        made_of = ["webdataset", FORMAT, self.size, shards, unwanted]
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

        table = ShardTable(self._shards[name], self._unwanted)
        count = len(table.places)
        concepts = np.arange(count, dtype=np.int64) + (SPLITS.index(name) << SPLIT_BITS)
        files = [str(shard.relative_to(self._root)) for shard in self._shards[name]]
        return Split(
            images=PlacedImages(self.read_image, files, table.places),
            captions=ComputedStrings(int(table.counts.sum()), table.caption),
            image_concepts=concepts,
            caption_concepts=np.repeat(concepts, table.counts),
            sources=ComputedStrings(count, table.source),
        )

    def read_image(self, file: str, offset: int, size: int) -> NDArray[np.uint8]:
        """One image, uint8 [size, size, 3], at `offset` of a shard. Raises KdbenchError with both if it cannot be decoded."""
        shard = self._root / file
        data = ShardBlob(shard, f"the image at byte {offset:,}", offset, size).read()
        try:
            return decode(data, self.size)
        except KdbenchError as error:
            sources = [item.blob.source for item in read_shard(shard) if getattr(item.blob, "offset", -1) == offset]
            raise KdbenchError(f"{sources[0] if sources else shard}: {error}") from error

    def _sources(self, quarantine: Path | None) -> frozenset[str]:
        """The sources to leave out as full paths; the list may be relative to the root: `train/0.tar: KEY.jpg`."""
        if quarantine is not None and not quarantine.is_file():
            raise KdbenchError(
                f"dataset webdataset: quarantine: there is no file {quarantine}; make it with kdbench data check"
            )
        known = {f"{shard}" for shard in self._files}
        found = set()
        for line in lines_of(quarantine):
            shard, _, member = line.partition(": ")
            whole = str(self._root / shard)  # joining leaves an absolute path unchanged
            if whole not in known:
                raise KdbenchError(f"{quarantine}: {shard!r} is not a shard of the dataset; {nearest(whole, known)}")
            found.add(f"{whole}: {member}")
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

    return [Offer("webdataset", WebDataset, summary, check=check, example={"miniature": True}, smoke=smoke)]
