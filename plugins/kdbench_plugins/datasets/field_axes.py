"""What the axes of an array of fields are: trajectories, time, channels and the grid, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError
from kdbench_plugins.datasets.field_array import FieldArray

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ORDER = "NTCHW"  # trajectories, time, channels, height, width
NEEDED = "THW"
KNOWN = {(".mat", 4): "NHWT", (".h5", 5): "NTHWC", (".hdf5", 5): "NTHWC"}  # of the neural operator's files, and of PDEBench's


@dataclass(frozen=True)
class Trajectories:
    """Trajectories of arrays of equal shape, whose channels follow each other; `axes` has a letter for each of their axes."""

    arrays: tuple[FieldArray, ...]
    axes: str

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """N, T, C, H, W."""
        sizes = dict(zip(self.axes, self.arrays[0].shape, strict=True))
        n, t, c, h, w = (sizes.get(letter, 1) for letter in ORDER)
        return n, t, c * len(self.arrays), h, w

    def read(self, places: Sequence[int], times: slice) -> NDArray[np.float32]:
        """Frames of the trajectories at increasing `places`: float32 [B, times, C, H, W]."""
        import numpy as np

        together = len(places) == places[-1] - places[0] + 1
        which: Any = slice(places[0], places[-1] + 1) if together else list(places)
        index = tuple({"N": which, "T": times}.get(letter, slice(None)) for letter in self.axes)
        found = [self._ordered(array.read(index)) for array in self.arrays]
        return np.ascontiguousarray(np.concatenate(found, axis=2), dtype=np.float32)

    def _ordered(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values with all axes, in the order of ORDER."""
        import numpy as np

        present = [letter for letter in ORDER if letter in self.axes]
        values = values.transpose([self.axes.index(letter) for letter in present])
        return np.expand_dims(values, [place for place, letter in enumerate(ORDER) if letter not in self.axes])


def axes_of(array: FieldArray, axes: str | None) -> str:
    """The letters of an array's axes: those given, or those of files of its kind. Raises KdbenchError if neither fits."""
    if axes is None:
        axes = KNOWN.get((array.path.suffix.lower(), len(array.shape)))
        if axes is None:
            raise KdbenchError(
                f"{array.where}: axes: found none given for an array of shape {list(array.shape)}; expected a letter for each "
                f"axis, of {', '.join(ORDER)} (trajectory, time, channel, height, width), such as {ORDER[: len(array.shape)]}"
            )
    if len(axes) != len(array.shape):
        shape = list(array.shape)
        raise KdbenchError(f"{array.where}: axes: found {axes!r} for an array of shape {shape}; expected {len(shape)} letters")
    return axes


def check_axes(axes: str | None, whose: str) -> None:
    """Raises KdbenchError for anything but letters of ORDER, each at most once, with time, height and width."""
    if axes is not None and (set(axes) - set(ORDER) or len(set(axes)) < len(axes) or set(NEEDED) - set(axes)):
        raise KdbenchError(
            f"{whose}: axes: found {axes!r}; expected each of {', '.join(NEEDED)} once, and N (trajectory) and C (channel) if "
            "the array has them, such as NHWT"
        )
