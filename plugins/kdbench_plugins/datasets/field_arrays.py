"""Numeric arrays in files of several formats: listed with their shapes, and read in parts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError
from kdbench.errors import of_machine
from kdbench_plugins.datasets.field_array import FieldArray, in_a_line, is_packed, read_whole
from kdbench_plugins.datasets.field_hdf5 import hdf5_arrays, is_hdf5

if TYPE_CHECKING:
    from numpy.typing import NDArray


def arrays_in(path: Path) -> dict[str, FieldArray]:
    """The numeric arrays of a file by name, in its order. Reads no more than headers where the format has them.

    Raises KdbenchError if the file cannot be read, its suffix is of no known format, or a package is missing.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise KdbenchError(f"{path}: found a file ending in {path.suffix!r}; expected one of {', '.join(FORMATS)}")
    try:
        arrays = list(kind(path))
    except KdbenchError:
        raise
    except Exception as error:  # each library has errors of its own for a file that is not what it says
        if of_machine(error) and not isinstance(error, MemoryError):  # a damaged header asks for any amount
            raise
        raise KdbenchError(
            f"{path}: found a file that cannot be read ({in_a_line(error)}); expected a {path.suffix} file of numeric arrays"
        ) from error
    if len(named := {array.name: array for array in arrays}) < len(arrays):
        raise KdbenchError(f"{path}: found {len(arrays)} arrays with {len(named)} names; expected a name for each")
    return named


def _npy(path: Path) -> Iterator[FieldArray]:
    import numpy as np

    yield from _of_values(path, "", np.load(path, mmap_mode="r", allow_pickle=False))


def _npz(path: Path) -> Iterator[FieldArray]:
    import numpy as np

    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                continue  # numpy passes over it, too
            with archive.open(member) as stream:
                major, _ = np.lib.format.read_magic(stream)
                header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
                shape, _, dtype = header(stream)
            if dtype.kind in "fiu":
                name = member.removesuffix(".npy")
                yield read_whole(path, name, shape, _npz_member)


def _npz_member(path: Path, name: str) -> NDArray[Any]:
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        found: NDArray[Any] = archive[name]
        return found


def _pt(path: Path) -> Iterator[FieldArray]:
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    named = found if isinstance(found, dict) else {"": found}
    for name, tensor in named.items():
        if isinstance(tensor, torch.Tensor) and not tensor.is_complex():
            values = tensor.detach()
            yield from _of_values(path, str(name), (values.float() if values.dtype == torch.bfloat16 else values).numpy())


def _mat(path: Path) -> Iterator[FieldArray]:
    if is_hdf5(path):
        yield from hdf5_arrays(path)
        return
    from scipy.io import whosmat

    for name, shape, kind in whosmat(path):
        if kind in ("double", "single") or kind.startswith(("int", "uint")):
            yield read_whole(path, name, tuple(shape), _mat_member)


def _mat_member(path: Path, name: str) -> NDArray[Any]:
    from scipy.io import loadmat

    found: NDArray[Any] = loadmat(path, variable_names=[name])[name]
    return found


def _netcdf(path: Path) -> Iterator[FieldArray]:
    if is_hdf5(path):
        yield from hdf5_arrays(path)
        return
    from scipy.io import netcdf_file

    with netcdf_file(path, "r", mmap=True) as file:  # reads headers alone; no view of the map may be left when it is closed
        listed = [(name, one.shape, one.data.dtype.kind, is_packed(one._attributes)) for name, one in file.variables.items()]
    for name, shape, kind, packed in listed:
        if kind in "fiu":
            yield read_whole(path, name, tuple(shape), _netcdf_member, packed)


def _netcdf_member(path: Path, name: str) -> NDArray[Any]:
    from scipy.io import netcdf_file

    with netcdf_file(path, "r", mmap=False) as file:
        found: NDArray[Any] = file.variables[name].data
        return found


FORMATS: dict[str, Callable[[Path], Iterator[FieldArray]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".pt": _pt,
    ".pth": _pt,
    ".h5": hdf5_arrays,
    ".hdf5": hdf5_arrays,
    ".mat": _mat,
    ".nc": _netcdf,
}


def _of_values(path: Path, name: str, values: NDArray[Any]) -> Iterator[FieldArray]:
    if values.dtype.kind in "fiu":
        yield FieldArray(path, name, values.shape, values.__getitem__)
