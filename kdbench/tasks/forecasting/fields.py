"""Fields over time: the datasets that forecasters train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from kdbench.contracts import SplitName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Frames(Protocol):
    """float32 [n, frames, C, H, W], read on access; `frames` is history + horizon, and more if some serve rollouts.

    Those of an opened dataset are a read-only memory map, or rows that are gathered from one:
    `kdbench.storage.memory_map.take(frames, places)` reads the samples at `places` of either, and a slice those of a range.

    Those of a dataset may have an attribute `block`, the number of samples that are best read at once, and then no more are.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, samples: slice, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class FieldSplit:
    """One split: n samples, each of consecutive frames of one trajectory."""

    frames: Any  # `Frames`: the first `history` frames of a sample are given, the next `horizon` are to be forecast
    ids: Sequence[str]  # n: the trajectory of each sample; samples of one trajectory follow each other and share its id


class FieldDataset(Protocol):
    """Trajectories of fields on a grid. No trajectory is in two splits. The constructor reads and computes no field.

    Frames of a split may be computed whenever they are read; an opened dataset has read each once, into the cache.
    """

    history: int  # frames that a forecaster is given
    horizon: int  # frames that it forecasts
    licence: str
    fingerprint: str  # changes whenever the source files, the parameters or the version of what computes the fields change

    def split(self, name: SplitName) -> FieldSplit: ...
