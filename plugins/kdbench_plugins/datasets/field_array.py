"""One numeric array of a file, read in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError
from kdbench.errors import of_machine
from kdbench_plugins.datasets.ondisk import stat_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


MOST = 1032  # numbers for each byte of a file: deflate packs no more


@dataclass(frozen=True)
class FieldArray:
    """One array of a file. `read(index)` returns the values at an index of numpy's basic kind, or with one list of places.

    `reversed` says that the file keeps the axes in reverse, as MATLAB's 7.3 does: `shape` is as MATLAB shows it, and `read`
    takes and gives the axes in that order too.
    """

    path: Path
    name: str  # "" in a file of one array
    shape: tuple[int, ...]
    values: Callable[[tuple[Any, ...]], NDArray[Any]]
    reversed: bool = False
    packed: bool = False  # whether values are numbers only after a scaling that the file states

    @property
    def where(self) -> str:
        return f"{self.path}: {self.name}" if self.name else str(self.path)

    def check(self) -> None:
        """Raises KdbenchError if the array has no numbers, more than its file can hold, or packed ones."""
        found = f"{self.where}: found an array of shape {self.shape}"
        numbers, size = prod(self.shape), self.path.stat().st_size
        if min(self.shape, default=1) < 1:
            raise KdbenchError(f"{found}; expected numbers in it")
        if numbers > MOST * size:  # a header may state any shape, for which memory would be asked
            raise KdbenchError(f"{found}; expected at most {MOST * size:,} numbers in a file of {size:,} bytes")
        if self.packed:
            raise KdbenchError(
                f"{self.where}: found packed values, with a scale factor or an offset; expected plain numbers. "
                "`ncpdq -U` unpacks them"
            )

    def read(self, index: tuple[Any, ...]) -> NDArray[Any]:
        """Raises KdbenchError if the file holds something else than it states, as a damaged one may."""
        try:
            return self.values(index[::-1]).T if self.reversed else self.values(index)
        except KdbenchError:
            raise
        except Exception as error:  # each library has errors of its own
            if of_machine(error):
                raise
            stated = " × ".join(map(str, self.shape))
            raise KdbenchError(
                f"{self.where}: found values that cannot be read ({in_a_line(error)}); expected {stated} numbers"
            ) from error


def read_whole(
    path: Path, name: str, shape: tuple[int, ...], member: Callable[[Path, str], NDArray[Any]], packed: bool = False
) -> FieldArray:
    """An array of a format that is read whole, by `member(path, name)`; the last such array is kept."""
    return FieldArray(path, name, shape, partial(_part_of, member, path, name), packed=packed)


def in_a_line(error: Exception) -> str:
    """The type and the first line of an error of a library."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def is_packed(attributes: Any) -> bool:
    """Whether attributes of an array, by NetCDF's conventions, state a scaling of its values."""
    return "scale_factor" in attributes or "add_offset" in attributes


def _part_of(member: Callable[[Path, str], NDArray[Any]], path: Path, name: str, index: tuple[Any, ...]) -> NDArray[Any]:
    found: NDArray[Any] = _whole(member, path, name, stat_of(path))[index]
    return found


@lru_cache(maxsize=1)
def _whole(member: Callable[[Path, str], NDArray[Any]], path: Path, name: str, _: tuple[int, int]) -> NDArray[Any]:
    return member(path, name)
