"""A compact table of the pairs in many shards: the location of each image and its number of captions.

Captions and names are read from the shards when needed: those of three million pairs would take gigabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import PLACE
from kdbench_plugins.datasets.items import Item
from kdbench_plugins.datasets.ondisk import stat_of
from kdbench_plugins.datasets.quarantine import left_in, refuse_unusable
from kdbench_plugins.datasets.shard_pairs import Aside
from kdbench_plugins.datasets.shards import read_shard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shard = tuple[Path, tuple[int, int]]  # with its size and time, so that another file of the same name is read anew


class ShardTable:
    """The pairs of `shards`, in order, without those that a line of `unwanted` names; `listed_in` is the file of these lines.

    `places` [N] of the type PLACE index `shards`; `counts` [N] are numbers of captions; `aside` is what is not read. Raises
    KdbenchError for a truncated shard and for a line that names no pair, UnusableItems for all pairs that cannot be used.
    """

    def __init__(self, shards: Sequence[Path], unwanted: frozenset[str] = frozenset(), listed_in: Path | None = None) -> None:
        import numpy as np

        self._shards = tuple((shard, stat_of(shard)) for shard in shards)
        self._unwanted = unwanted
        self._listed_in = listed_in
        self.aside = Aside()
        places: list[NDArray[Any]] = []
        counts: list[NDArray[np.int64]] = []
        wrong: list[Item] = []
        for number, shard in enumerate(self._shards):
            items = self.items(number)
            self.aside.update(_contents(shard)[1])
            wrong += [item for item in items if item.error]
            blobs: list[Any] = [item.blob for item in items]
            places.append(np.array([(number, blob.offset, blob.size) for blob in blobs], dtype=PLACE))
            counts.append(np.array([len(item.captions) for item in items], dtype=np.int64))
        refuse_unusable(wrong, f"dataset webdataset in {self._shards[0][0].parent}")
        self.places = np.concatenate(places)
        self.counts = np.concatenate(counts)
        self._images = np.cumsum([0, *(len(found) for found in counts)])  # before each shard
        self._captions = np.cumsum([0, *(found.sum() for found in counts)])

    def items(self, number: int) -> list[Item]:
        """The pairs of one shard."""
        return _items(self._shards[number], self._unwanted, self._listed_in)

    def source(self, image: int) -> str:
        """The name of an image in messages."""
        number = _before(self._images, image)
        return self.items(number)[image - int(self._images[number])].blob.source

    def image_id(self, image: int) -> str:
        """KEY.jpg, the member's name without folders."""
        number = _before(self._images, image)
        return self.items(number)[image - int(self._images[number])].id

    def caption_id(self, position: int) -> str:
        """KEY.jpg#0, KEY.jpg#1 …"""
        number = _before(self._captions, position)
        ids = _caption_ids(self._shards[number], self._unwanted, self._listed_in)
        return ids[position - int(self._captions[number])]

    def caption(self, position: int) -> str:
        number = _before(self._captions, position)
        skipped = int(self._captions[number])
        return _texts(self._shards[number], self._unwanted, self._listed_in)[position - skipped]


class ComputedStrings(Sequence[str]):
    """A sequence of `count` strings, each computed from its index when accessed."""

    def __init__(self, count: int, tell: Any) -> None:
        self._count, self._tell = count, tell

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[number] for number in range(*position.indices(self._count))]
        if not -self._count <= position < self._count:
            raise IndexError(f"place {position} of {self._count}")
        return self._tell(position % self._count)


def _before(totals: NDArray[Any], position: int) -> int:
    import numpy as np

    return int(np.searchsorted(totals, position, side="right")) - 1


@lru_cache(maxsize=2)
def _contents(shard: Shard) -> tuple[list[Item], Aside]:
    aside = Aside()
    return read_shard(shard[0], aside), aside


@lru_cache(maxsize=2)
def _items(shard: Shard, unwanted: frozenset[str], listed_in: Path | None) -> list[Item]:
    path = shard[0]
    mine = sorted(line for line in unwanted if line.startswith(f"{path}: "))
    return left_in(_contents(shard)[0], mine, path.parent.parent, listed_in, "webdataset")


@lru_cache(maxsize=2)
def _caption_ids(shard: Shard, unwanted: frozenset[str], listed_in: Path | None) -> list[str]:
    return [one for item in _items(shard, unwanted, listed_in) for one in item.caption_ids]


@lru_cache(maxsize=2)
def _texts(shard: Shard, unwanted: frozenset[str], listed_in: Path | None) -> list[str]:
    return [caption for item in _items(shard, unwanted, listed_in) for caption in item.captions]
