"""Some items of several splits as one sequence, in any order: nothing is copied until it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.storage.memory_map import take

Ints = NDArray[np.int64]


class Picked(Sequence[Any]):
    """Items of the concatenation of `parts`, those at `places` [n]. A slice is a list."""

    def __init__(self, parts: Sequence[Sequence[Any]], places: Ints) -> None:
        self.parts, self.places = parts, places
        self._starts = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._at(int(place)) for place in self.places[index]]
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        return self._at(int(self.places[index]))

    def _at(self, place: int) -> Any:
        part = int(np.searchsorted(self._starts, place, side="right")) - 1
        return self.parts[part][place - int(self._starts[part])]


class PickedRows:
    """Rows of the concatenation of arrays or memory maps [., …] of one type, those at `places` [n]. Slices are arrays."""

    def __init__(self, parts: Sequence[NDArray[Any]], places: Ints) -> None:
        self.parts, self.places = parts, places
        self._starts = np.cumsum([0, *map(len, parts)])
        self.dtype = np.result_type(*parts)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.places), *self.parts[0].shape[1:])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        chosen = self.places[index]
        found: NDArray[Any] = self._taken(np.atleast_1d(chosen))
        return found if np.ndim(chosen) else found[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = self[:]
        return found if dtype is None else found.astype(dtype)

    def rows(self, wanted: NDArray[Any]) -> NDArray[Any]:
        """The rows at some indices [B]."""
        return self._taken(self.places[wanted])

    def _taken(self, places: Ints) -> NDArray[Any]:
        found = np.empty((len(places), *self.parts[0].shape[1:]), self.dtype)
        part_of = np.searchsorted(self._starts, places, side="right") - 1
        for number, part in enumerate(self.parts):
            here = np.flatnonzero(part_of == number)
            if len(here):
                found[here] = take(part, places[here] - self._starts[number])
        return found
