"""A compact table of the pairs in many shards: the location of each image and its number of captions.

Captions and names are read from the shards when needed: those of three million pairs would take gigabytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import PLACE, KdbenchError, nearest
from kdbench_plugins.datasets.items import Item
from kdbench_plugins.datasets.shards import read_shard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ShardTable:
    """The pairs of `shards`, in order, without those whose source is in `unwanted`.

    `places` [N] of the type PLACE index `shards`; `counts` [N] are numbers of captions. Raises KdbenchError for a truncated
    shard, and for an unwanted source in these shards that is not one of their images.
    """

    def __init__(self, shards: Sequence[Path], unwanted: frozenset[str] = frozenset()) -> None:
        import numpy as np

        self._shards = tuple(shards)
        self._unwanted = unwanted
        places: list[NDArray[Any]] = []
        counts: list[NDArray[np.int64]] = []
        for number in range(len(self._shards)):
            items = self.items(number)
            blobs: list[Any] = [item.blob for item in items]
            places.append(np.array([(number, blob.offset, blob.size) for blob in blobs], dtype=PLACE))
            counts.append(np.array([len(item.captions) for item in items], dtype=np.int64))
        self.places = np.concatenate(places)
        self.counts = np.concatenate(counts)
        self._images = np.cumsum([0, *(len(found) for found in counts)])  # before each shard
        self._captions = np.cumsum([0, *(found.sum() for found in counts)])

    def items(self, number: int) -> list[Item]:
        """The pairs of one shard."""
        return _items(self._shards[number], self._unwanted)

    def source(self, image: int) -> str:
        """The name of an image in messages."""
        number = _before(self._images, image)
        return self.items(number)[image - int(self._images[number])].blob.source

    def caption(self, position: int) -> str:
        number = _before(self._captions, position)
        skipped = int(self._captions[number])
        return _texts(self._shards[number], self._unwanted)[position - skipped]


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
def _items(shard: Path, unwanted: frozenset[str]) -> list[Item]:
    items = read_shard(shard)
    mine = {line for line in unwanted if line.startswith(f"{shard}: ")}
    sources = {item.blob.source for item in items}
    for line in sorted(mine - sources):
        raise KdbenchError(f"no image of the dataset is {line!r}, which is to be left out; {nearest(line, sources)}")
    return [item for item in items if item.blob.source not in mine]


@lru_cache(maxsize=2)
def _texts(shard: Path, unwanted: frozenset[str]) -> list[str]:
    return [caption for item in _items(shard, unwanted) for caption in item.captions]
