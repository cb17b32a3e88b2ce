"""Original pictures: their digests, and reading them again for encoders that resize pictures themselves."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Split
from kdbench.errors import KdbenchError

Picture = NDArray[np.uint8]
DIGEST = 32  # bytes of a sha256
BUDGET = 256 * 2**20  # bytes of pictures that are encoded at a time; a photograph of 50 million pixels has 150 MB


def digest_of_picture(picture: Picture) -> bytes:
    """The sha256 of the shape and the pixels."""
    hashed = hashlib.sha256(str(picture.shape).encode())
    hashed.update(np.ascontiguousarray(picture).data)
    return hashed.digest()


class Originals(Sequence[Any]):
    """The N original pictures of a split, read from their files whenever they are indexed.

    `digests` [N, 32] were noted when the dataset was decoded. Raises KdbenchError for a picture that has changed since:
    embeddings of it would be kept as those of the former picture. A slice is a list.
    """

    def __init__(self, open: Callable[[], Split], digests: NDArray[np.uint8], threads: int | None = None) -> None:
        self._open, self._digests = open, digests
        self.threads = threads or min(16, os.cpu_count() or 1)
        self._opening = threading.Lock()
        self._opened: Split | None = None

    @property
    def _source(self) -> Split:
        with self._opening:  # read once, not by every thread
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def __len__(self) -> int:
        return len(self._digests)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._read(place) for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        return self._read(int(index) % len(self))

    def decoded(self, wanted: NDArray[Any]) -> list[Picture]:
        """The pictures at the indices `wanted`, read by the calling thread. Not compared with their digests: streamed training
        reads them in every epoch and keeps nothing of them."""
        return [np.asarray(self._source.originals[int(index)]) for index in wanted]

    def parts(self, start: int, stop: int, budget: int = BUDGET) -> Iterator[list[Picture]]:
        """The pictures from `start` to `stop` in lists of about `budget` bytes at most, so that large ones fit in memory."""
        found: list[Picture] = []
        with ThreadPoolExecutor(self.threads) as pool:
            for first in range(start, stop, self.threads):
                found += pool.map(self._read, range(first, min(first + self.threads, stop)))
                if sum(picture.nbytes for picture in found) >= budget:
                    yield found
                    found = []
        if found:
            yield found

    def _read(self, index: int) -> Picture:
        picture: Picture = np.asarray(self._source.originals[index])
        if digest_of_picture(picture) != self._digests[index].tobytes():
            sources = self._source.sources
            where = sources[index] if len(sources) else f"original picture {index}"
            raise KdbenchError(
                f"{where}: has changed since the dataset was decoded; run again: it is then decoded anew. If "
                "the file is the same, another version of a library decodes it: `kdbench cache clear --of datasets`"
            )
        return picture
