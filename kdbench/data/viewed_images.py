"""The augmented views of all images of a split, made whenever they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.data.view import Drawn
from kdbench.storage.digest import digest_of
from kdbench.storage.memory_map import take
from kdbench.storage.placed_images import PlacedImages, in_threads
from kdbench.suite.settings import Views


class ViewedImages(Sequence[Any]):
    """All views of N images [N, size, size, 3]: row v·N + i is view v of image i, uint8 [size, size, 3].

    `dataset` identifies the images, and `numbers` [N] are those of the images in it, by default 0 to N - 1. Slices
    are arrays, made by `threads` threads, by default one per core.
    """

    def __init__(
        self, images: Any, views: Views, dataset: str, threads: int | None = None, numbers: NDArray[np.int64] | None = None
    ) -> None:
        self.images, self.views, self.dataset, self.numbers = images, views, dataset, numbers
        self.drawn = Drawn(views, dataset)
        self.threads = threads or min(16, os.cpu_count() or 1)

    @property
    def identity(self) -> str:
        """Of all pixels: the settings, the images, and the libraries that resize."""
        drawn = [self.drawn.identity, self.views.count, version("torch"), version("torchvision")]
        return digest_of(drawn if self.numbers is None else [*drawn, self.numbers.tolist()])

    def __len__(self) -> int:
        return self.views.count * len(self.images)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.rows(np.arange(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(f"view {index} of {len(self)}")
        return self.decoded(np.array([index % len(self)]))[0]

    def rows(self, wanted: NDArray[Any]) -> NDArray[np.uint8]:
        """The views at some indices [B], uint8 [B, size, size, 3]."""
        return in_threads(self.decoded, wanted, self.threads)

    def decoded(self, wanted: NDArray[Any]) -> NDArray[np.uint8]:
        """As `rows`, by the calling thread."""
        views, images = np.divmod(wanted, len(self.images))
        found = self.images.decoded(images) if isinstance(self.images, PlacedImages) else take(self.images, images)
        numbers = images if self.numbers is None else self.numbers[images]
        drawn = zip(found, numbers.tolist(), views.tolist(), strict=True)
        return np.stack([self.drawn(image, view).of(picture) for picture, image, view in drawn])
