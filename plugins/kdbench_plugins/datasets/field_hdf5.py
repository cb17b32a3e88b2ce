"""Arrays in HDF5 files: of PDEBench, MATLAB 7.3 and NetCDF 4."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError
from kdbench_plugins.datasets.field_array import FieldArray, is_packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC, MATLAB73 = b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3"
OFFSET = 512  # of MATLAB's own header, which comes before


def is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5, whatever its suffix."""
    with path.open("rb") as stream:
        head = stream.read(OFFSET + len(MAGIC))
    return head.startswith((MAGIC, MATLAB73)) or head[OFFSET:] == MAGIC


def hdf5_arrays(path: Path) -> Iterator[FieldArray]:
    """The numeric arrays in all groups of a file, named by their paths."""
    h5py = import_h5py(path)
    found: list[FieldArray] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            if item.external or item.is_virtual:  # a file of others could so name any file that can be read here
                raise KdbenchError(f"{path}: {name}: found values that lie in other files; expected them in this one")
            matlab = "MATLAB_class" in item.attrs
            shape = item.shape[::-1] if matlab else item.shape
            found.append(FieldArray(path, name, tuple(shape), partial(_part_of, path, name), matlab, is_packed(item.attrs)))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    yield from found


def _part_of(path: Path, name: str, index: tuple[Any, ...]) -> NDArray[Any]:
    with import_h5py(path).File(path, "r") as file:
        found: NDArray[Any] = file[name][index]
        return found


def import_h5py(path: Path) -> Any:
    """h5py. Raises KdbenchError with the extra that installs it."""
    try:
        import h5py
    except ImportError as error:
        raise KdbenchError(f"{path}: reading HDF5 needs h5py: pip install 'kdbench[hdf5]'") from error
    return h5py
