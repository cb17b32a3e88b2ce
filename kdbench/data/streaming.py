"""Streamed images as a student's inputs: computed for every batch, the next batch while the current one trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kdbench.contracts import Encoder
from kdbench.data.borders import checked_rows
from kdbench.data.originals import Originals
from kdbench.data.viewed_images import ViewedImages
from kdbench.storage.memory_map import Lazy, take
from kdbench.storage.placed_images import PlacedImages, in_threads

if TYPE_CHECKING:
    from concurrent.futures import Future

    from numpy.typing import NDArray


class StreamedInputs:
    """A student's encoder applied to streamed images, to their originals or to views, whenever rows are read."""

    def __init__(self, images: PlacedImages | Originals | ViewedImages, encoder: Encoder) -> None:
        self.images, self.encoder = images, encoder

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, wanted: NDArray[Any]) -> NDArray[Any]:
        """The inputs of the images at some indices [B], equal to stored ones."""
        return in_threads(self._encoded, wanted, self.images.threads)

    def _encoded(self, wanted: NDArray[Any]) -> NDArray[Any]:
        made = checked_rows(self.encoder, self.encoder.encode(self.images.decoded(wanted), "cpu"), len(wanted))
        encoded: NDArray[Any] = made.numpy()
        return encoded


class Ahead:
    """Rows by step; rows of streamed inputs are read one step ahead.

    `wanted(step)` returns the row indices of a step. Steps must be requested in order, up to `steps` − 1.
    """

    def __init__(self, values: NDArray[Any] | Lazy, wanted: Callable[[int], NDArray[Any]], steps: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._values, self._wanted, self._steps = values, wanted, steps
        self._reader = ThreadPoolExecutor(1) if isinstance(values, StreamedInputs) else None
        self._coming: tuple[int, Future[NDArray[Any]]] | None = None

    def __call__(self, step: int) -> NDArray[Any]:
        coming, self._coming = self._coming, None
        here = coming is not None and coming[0] == step
        rows = coming[1].result() if coming is not None and here else take(self._values, self._wanted(step))
        if self._reader is not None and step + 1 < self._steps:
            self._coming = step + 1, self._reader.submit(take, self._values, self._wanted(step + 1))
        return rows
