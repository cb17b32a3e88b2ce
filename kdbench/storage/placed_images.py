"""Images that are decoded from their source whenever they are read, instead of being stored in decoded form.

For train splits that are too large to store: decoded, three million images of 224 pixels take 450 GB. Batches, pixels and the
digest of the dataset are the same as with a decoded copy, and so are results; the price is decoding in every epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The location of an encoded image: the number of its file, its offset in the file, and its length.
PLACE = [("file", "<i4"), ("offset", "<i8"), ("bytes", "<i4")]


class PlacedImages(Sequence["NDArray[np.uint8]"]):
    """N images, given by the locations of their bytes; decoded when indexed and not kept.

    `places` is a structured array [N] of the type `PLACE` whose field `file` indexes `files`. `read(file, offset, bytes)`
    returns uint8 [size, size, 3] and is called by several threads at once. Slices are arrays, decoded by `threads` threads,
    by default one per core: Pillow decodes and resizes without holding the GIL.
    """

    def __init__(
        self,
        read: Callable[[str, int, int], NDArray[np.uint8]],
        files: Sequence[str],
        places: NDArray[Any],
        threads: int | None = None,
    ) -> None:
        self.read, self.files, self.places = read, files, places
        self.threads = threads or min(16, os.cpu_count() or 1)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        import numpy as np

        if isinstance(index, slice):
            return self.rows(np.arange(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        return self.decoded(np.array([index % len(self)]))[0]

    def rows(self, wanted: NDArray[Any]) -> NDArray[np.uint8]:
        """The images at the indices `wanted` [B], uint8 [B, size, size, 3]."""
        return in_threads(self.decoded, wanted, self.threads)

    def decoded(self, wanted: NDArray[Any]) -> NDArray[np.uint8]:
        """As `rows`, by the calling thread."""
        import numpy as np

        from kdbench.storage.memory_map import take

        found = take(self.places, wanted).tolist()
        return np.stack([self.read(self.files[file], offset, length) for file, offset, length in found])


def in_threads(function: Callable[[NDArray[Any]], NDArray[Any]], wanted: NDArray[Any], threads: int) -> NDArray[Any]:
    """`function(wanted)`, computed in parts by several threads."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    if len(wanted) == 0:  # the shape of an array without rows is needed too
        return function(np.zeros(1, dtype=np.int64))[:0]
    shares = np.array_split(wanted, min(threads, len(wanted)))
    if len(shares) == 1:
        return function(wanted)
    with ThreadPoolExecutor(len(shares)) as pool:
        return np.concatenate(list(pool.map(function, shares)))
