"""Arrays in files of every format: listed with their shapes, and read in part."""

from __future__ import annotations

import contextlib
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import netcdf_file, savemat

from kdbench import KdbenchError
from kdbench_plugins.datasets.field_array import FieldArray
from kdbench_plugins.datasets.field_arrays import FORMATS, arrays_in
from kdbench_plugins.datasets.field_hdf5 import MATLAB73, is_hdf5

VALUES = np.random.default_rng(0).standard_normal((3, 4, 5, 2)).astype(np.float32)


def write_mat73(path: Path, values: NDArray[Any]) -> None:
    """As MATLAB writes 7.3: its own header first, axes reversed, and the class of the array beside it."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        file["u"] = values.T
        file["u"].attrs["MATLAB_class"] = np.bytes_("single")
    with path.open("r+b") as stream:
        stream.write(MATLAB73 + b" MAT-file")


def write_hdf5(path: Path, values: NDArray[Any]) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["u"] = values


def write_netcdf3(path: Path, values: NDArray[Any], **attributes: float) -> None:
    with netcdf_file(path, "w") as file:
        names = tuple(f"d{place}" for place in range(values.ndim))
        for name, size in zip(names, values.shape, strict=True):
            file.createDimension(name, size)
        variable = file.createVariable("u", values.dtype, names)
        variable[:] = values
        for name, value in attributes.items():
            setattr(variable, name, value)


WRITERS: dict[str, Callable[[Path, NDArray[Any]], object]] = {
    "u.npy": np.save,
    "u.npz": lambda path, values: np.savez_compressed(path, u=values, text=np.array(["no numbers"])),
    "u.pt": lambda path, values: torch.save({"u": torch.from_numpy(values), "step": 3}, path),
    "u.pth": lambda path, values: torch.save(torch.from_numpy(values), path),
    "old.pt": lambda path, values: torch.save(torch.from_numpy(values), path, _use_new_zipfile_serialization=False),
    "u.mat": lambda path, values: savemat(path, {"u": values, "text": "no numbers"}),
    "u73.mat": write_mat73,
    "u.h5": write_hdf5,
    "u.hdf5": write_hdf5,
    "u3.nc": write_netcdf3,
    "u4.nc": write_hdf5,
}
INDICES: list[tuple[Any, ...]] = [
    (slice(None),) * 4,
    (slice(1, 3), slice(0, 4, 2), slice(None), slice(None)),
    ([0, 2], slice(1, 3), slice(None), slice(0, 1)),
]


@pytest.mark.parametrize("name", WRITERS)
def test_arrays_are_listed_and_read_in_part(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path, VALUES)
    [array] = arrays_in(path).values()
    assert array.shape == VALUES.shape
    assert array.name == ("" if name in ("u.npy", "u.pth", "old.pt") else "u")
    assert array.where.startswith(str(path))
    for index in INDICES:
        np.testing.assert_array_equal(array.read(index), VALUES[index])


def test_every_format_is_tested() -> None:
    assert {Path(name).suffix for name in WRITERS} == set(FORMATS)


def test_arrays_in_groups_are_named_by_their_paths(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "groups.h5", "w") as file:
        file["0000/data"] = VALUES
        file["0000/grid/x"] = np.arange(3.0)
        file["names"] = np.array([b"no", b"numbers"])
    assert set(arrays_in(tmp_path / "groups.h5")) == {"0000/data", "0000/grid/x"}


def test_half_precision_of_torch_is_read(tmp_path: Path) -> None:
    torch.save(torch.from_numpy(VALUES).bfloat16(), tmp_path / "u.pt")
    found = arrays_in(tmp_path / "u.pt")[""].read(INDICES[0])
    np.testing.assert_array_equal(found, torch.from_numpy(VALUES).bfloat16().float().numpy())


def test_an_array_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "u.npz"
    for values in (VALUES, np.concatenate([VALUES, VALUES])):
        np.savez(path, u=values)
        assert len(arrays_in(path)["u"].read(INDICES[0])) == len(values)


class Thing:
    """Something that only a pickle can hold."""


@pytest.mark.parametrize("name", ["u.npy", "u.npz", "u.pt", "u.mat", "u.h5", "u.nc"])
def test_a_file_that_is_not_what_it_says_is_named(tmp_path: Path, name: str) -> None:
    if name == "u.h5":
        pytest.importorskip("h5py")
    path = tmp_path / name
    path.write_bytes(b"this is no such file" * 100)
    with pytest.raises(KdbenchError, match=rf"{name}: found a file that cannot be read .* expected a {path.suffix} file"):
        arrays_in(path)


def test_objects_in_files_are_never_run(tmp_path: Path) -> None:
    torch.save({"u": Thing()}, tmp_path / "u.pt")
    np.save(tmp_path / "u.npy", np.array([Thing()]), allow_pickle=True)
    for name in ("u.pt", "u.npy"):
        with pytest.raises(KdbenchError, match=f"{name}: found a file that cannot be read"):
            arrays_in(tmp_path / name)


def test_other_suffixes_are_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"found a file ending in '\.csv'; expected one of \.npy, \.npz"):
        arrays_in(tmp_path / "u.csv")


def test_a_missing_h5py_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    for name in ("u.h5", "u.mat"):
        (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
        with pytest.raises(KdbenchError, match=rf"{name}: reading HDF5 needs h5py: pip install 'kdbench\[hdf5\]'"):
            arrays_in(tmp_path / name)


def test_hdf5_is_known_by_its_beginning(tmp_path: Path) -> None:
    savemat(tmp_path / "u.mat", {"u": VALUES})
    assert not is_hdf5(tmp_path / "u.mat")
    (tmp_path / "u.nc").write_bytes(bytes(512) + b"\x89HDF\r\n\x1a\n")
    assert is_hdf5(tmp_path / "u.nc")


def test_packed_arrays_are_marked(tmp_path: Path) -> None:
    write_netcdf3(tmp_path / "packed.nc", VALUES, scale_factor=0.5)
    write_netcdf3(tmp_path / "plain.nc", VALUES, valid_min=0.5)
    assert arrays_in(tmp_path / "packed.nc")["u"].packed
    assert not arrays_in(tmp_path / "plain.nc")["u"].packed


def test_reversed_arrays_are_read_as_if_they_were_not() -> None:
    array = FieldArray(Path("u.mat"), "u", VALUES.shape, VALUES.T.__getitem__, reversed=True)
    for index in INDICES:
        np.testing.assert_array_equal(array.read(index), VALUES[index])


def test_a_damaged_member_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "u.npz"
    np.savez(path, u=np.random.default_rng(0).standard_normal((60, 4, 5, 20)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    told = r"u\.npz: u: found values that cannot be read \(BadZipFile: .*; expected 60 × 4 × 5 × 20 numbers"
    with pytest.raises(KdbenchError, match=told):
        arrays_in(path)["u"].read((slice(None),))


def test_a_damaged_chunk_of_hdf5_is_told_when_it_is_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "u.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("u", data=VALUES, chunks=VALUES.shape, compression="gzip", fletcher32=True)
        place = file["u"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as stream:
        stream.seek(place + 20)
        stream.write(b"\0\0\0\0")
    with pytest.raises(KdbenchError, match=r"u\.h5: u: found values that cannot be read"):
        arrays_in(path)["u"].read((slice(None),))


def test_values_in_other_files_are_not_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "secret").write_bytes(bytes(32))
    with h5py.File(tmp_path / "u.h5", "w") as file:
        file.create_dataset("u", (8,), "f4", external=[(str(tmp_path / "secret"), 0, 32)])
    with pytest.raises(KdbenchError, match=r"u\.h5: u: found values that lie in other files"):
        arrays_in(tmp_path / "u.h5")


def test_members_that_are_no_arrays_are_passed_over_and_names_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "u.npz"
    np.savez(path, u=VALUES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "about u")
    assert list(arrays_in(path)) == ["u"]
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("u.npy", archive.read("u.npy"))
    with pytest.raises(KdbenchError, match="found 2 arrays with 1 names"):
        arrays_in(path)


def test_an_array_without_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "u.npz", u=np.ones((3, 4, 5, 0), dtype=np.float32), v=VALUES)
    arrays = arrays_in(tmp_path / "u.npz")
    arrays["v"].check()
    with pytest.raises(KdbenchError, match=r"u\.npz: u: found an array of shape \(3, 4, 5, 0\); expected numbers in it"):
        arrays["u"].check()


def test_more_numbers_than_a_file_can_hold(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "u.h5", "w") as file:
        file.create_dataset("u", (2, 20, 10**6, 10**6), "f4", chunks=(1, 1, 10, 10))  # nothing is stored
    with pytest.raises(KdbenchError, match=r"array of shape \(2, 20, 1000000, 1000000\); expected at most [\d,]+ num"):
        arrays_in(tmp_path / "u.h5")["u"].check()
    torch.save(torch.zeros(1).expand(10**5, 20, 64, 64), tmp_path / "u.pt")
    with pytest.raises(KdbenchError, match=r"numbers in a file of [\d,]+ bytes"):
        arrays_in(tmp_path / "u.pt")[""].check()


def test_zeros_that_deflate_packs_are_within_the_bound(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "u.npz", u=np.zeros((10, 20, 256, 256), dtype=np.int8))
    arrays_in(tmp_path / "u.npz")["u"].check()


def test_every_damage_of_a_header_of_netcdf_is_named(tmp_path: Path) -> None:
    path = tmp_path / "u.nc"
    write_netcdf3(path, VALUES, valid_min=0.5)
    whole = path.read_bytes()
    for place in range(len(whole) - VALUES.nbytes):
        for value in (0, 0x7F, 0xFF):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            with contextlib.suppress(KdbenchError):
                for array in arrays_in(path).values():
                    array.check()
                    array.read((slice(None),) * len(array.shape))
