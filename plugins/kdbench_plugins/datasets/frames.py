"""Frames that are computed, or gathered from files, whenever they are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LazyFrames(ABC):
    """Implements `Frames` by the one method `rows`."""

    def __init__(self, shape: tuple[int, ...], block: int) -> None:
        self.shape, self.block = shape, block

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, samples: slice) -> NDArray[np.float32]:
        import numpy as np

        return self.rows(np.arange(len(self))[samples])

    @abstractmethod
    def rows(self, places: NDArray[Any]) -> NDArray[np.float32]:
        """The samples at `places` [B], float32 [B, frames, C, H, W]."""
