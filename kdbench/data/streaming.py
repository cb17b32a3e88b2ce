"""Images that are read where they lie, again and again, in place of a decoded copy of all of them.

For train splits too large to be copied: decoded, three million images of 224 pixels take 450 GB. Batches, pixels and the digest
of the dataset are those of the copy, so a run ends the same either way; what it costs is decoding, in every epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kdbench.contracts import Encoder

if TYPE_CHECKING:
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

# What is known of an encoded image: the number of its file, where in it the image begins, and its length.
PLACE = [("file", "<i4"), ("offset", "<i8"), ("bytes", "<i4")]


class PlacedImages(Sequence["NDArray[np.uint8]"]):
    """N images by the places of their bytes; one is decoded when indexed, and nothing is kept.

    `read(file, offset, bytes)` gives the uint8 [size, size, 3] of one of `places`, a structured array [N] of the type `PLACE`
    whose `file` counts through `files`; it may be called by many threads at once. A slice is an array, decoded by
    `threads`, one for each core by default: Pillow decodes and resizes outside Python's lock.
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
        return self._decoded(np.array([index % len(self)]))[0]

    def rows(self, wanted: NDArray[Any]) -> NDArray[np.uint8]:
        """The images of some places [B], uint8 [B, size, size, 3]."""
        return in_threads(self._decoded, wanted, self.threads)

    def _decoded(self, wanted: NDArray[Any]) -> NDArray[np.uint8]:
        import numpy as np

        from kdbench.storage.memory_map import take

        found = take(self.places, wanted).tolist()
        return np.stack([self.read(self.files[file], offset, length) for file, offset, length in found])


class StreamedInputs:
    """What a student's encoder makes of placed images, made anew whenever rows are read."""

    def __init__(self, images: PlacedImages, encoder: Encoder) -> None:
        self.images, self.encoder = images, encoder

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, wanted: NDArray[Any]) -> NDArray[Any]:
        """The inputs of some images [B], as they would have been stored."""
        return in_threads(self._encoded, wanted, self.images.threads)

    def _encoded(self, wanted: NDArray[Any]) -> NDArray[Any]:
        encoded: NDArray[Any] = self.encoder.encode(self.images._decoded(wanted), "cpu").numpy()
        return encoded


class Ahead:
    """Rows by step: of streamed inputs, those of the next step are read while this one is computed.

    `wanted(step)` gives the rows of a step; it is asked for them in order, and after step `steps` − 1 for none.
    """

    def __init__(self, values: NDArray[Any] | StreamedInputs, wanted: Callable[[int], NDArray[Any]], steps: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._values, self._wanted, self._steps = values, wanted, steps
        self._reader = ThreadPoolExecutor(1) if isinstance(values, StreamedInputs) else None
        self._coming: tuple[int, Future[NDArray[Any]]] | None = None

    def __call__(self, step: int) -> NDArray[Any]:
        from kdbench.storage.memory_map import take

        coming, self._coming = self._coming, None
        here = coming is not None and coming[0] == step
        rows = coming[1].result() if coming is not None and here else take(self._values, self._wanted(step))
        if self._reader is not None and step + 1 < self._steps:
            self._coming = step + 1, self._reader.submit(take, self._values, self._wanted(step + 1))
        return rows


def in_threads(function: Callable[[NDArray[Any]], NDArray[Any]], wanted: NDArray[Any], threads: int) -> NDArray[Any]:
    """`function` of all that is wanted, each thread with a share of it."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    if len(wanted) == 0:  # of an array without rows the shape is still asked for
        return function(np.zeros(1, dtype=np.int64))[:0]
    shares = np.array_split(wanted, min(threads, len(wanted)))
    if len(shares) == 1:
        return function(wanted)
    with ThreadPoolExecutor(len(shares)) as pool:
        return np.concatenate(list(pool.map(function, shares)))
