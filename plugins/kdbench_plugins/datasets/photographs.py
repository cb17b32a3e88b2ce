"""Photographs of a dataset, decoded when indexed: the square ones that students see, and the original ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from kdbench import KdbenchError
from kdbench.data.picture_file import square
from kdbench_plugins.datasets.blobs import Blob
from kdbench_plugins.datasets.pictures import original

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Photographs(Sequence["NDArray[np.uint8]"]):
    """N blobs as N images, decoded when indexed: uint8 [size, size, 3], or [height, width, 3] as stored if `size` is None.

    Keeps nothing: the core caches decoded images.
    """

    blobs: tuple[Blob, ...]
    size: int | None

    def __len__(self) -> int:
        return len(self.blobs)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> Photographs: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | Photographs:
        if isinstance(index, slice):
            return Photographs(self.blobs[index], self.size)
        picture = decode_blob(self.blobs[index])
        return picture if self.size is None else square(picture, self.size)


def decode_blob(blob: Blob) -> NDArray[np.uint8]:
    """The original picture of a blob, uint8 [height, width, 3]. Raises KdbenchError with its source."""
    data = blob.read()
    try:
        return original(data)
    except KdbenchError as error:
        raise KdbenchError(f"{blob.source}: {error}") from error
