"""Which files and arrays hold the fields: one, several as channels, or one for each trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import netcdf_file

from kdbench import KdbenchError
from kdbench_plugins.datasets.field_files import field_files, trajectories_in

WHOSE = "dataset field_folder"
FIELDS = np.zeros((4, 6, 3, 5), dtype=np.float32)


def written(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_files_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/1.npy", "a.npy", ".hidden.npy", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    root, files = field_files(tmp_path, WHOSE)
    assert (root, [file.relative_to(root).as_posix() for file in files]) == (tmp_path, ["a.npy", "b/1.npy"])
    assert field_files(tmp_path / "a.npy", WHOSE) == (tmp_path / "a.npy", [tmp_path / "a.npy"])


def test_missing_and_mixed_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match="no file is given; set `path:`"):
        field_files(None, WHOSE)
    with pytest.raises(KdbenchError, match="there is no file or folder"):
        field_files(tmp_path / "nothing", WHOSE)
    with pytest.raises(KdbenchError, match="found no file of fields"):
        field_files(tmp_path, WHOSE)
    (tmp_path / "a.npy").touch()
    (tmp_path / "a.npz").touch()
    with pytest.raises(KdbenchError, match=r"several kinds in .*, \.npy, \.npz; expected one kind"):
        field_files(tmp_path, WHOSE)


def test_the_array_with_the_most_axes_is_meant_without_a_key(tmp_path: Path) -> None:
    path = written(tmp_path / "u.npz", a=FIELDS[:, 0], t=np.arange(6.0), u=FIELDS)
    [found] = trajectories_in(path, None, "NTHW")
    assert [array.name for array in found.arrays] == ["u"]


def test_several_such_arrays_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path / "u.npz", u=FIELDS, v=FIELDS)
    with pytest.raises(KdbenchError, match=r"key: found u \[4, 6, 3, 5\], v \[4, 6, 3, 5\]; expected one array .* `key:`"):
        trajectories_in(path, None, "NTHW")
    with pytest.raises(KdbenchError, match=r"key: found t \[6\]; expected one array with axes of time and a grid"):
        trajectories_in(written(tmp_path / "t.npz", t=np.arange(6.0)), None, "NTHW")


def test_a_key_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = written(tmp_path / "u.npz", velocity=FIELDS, pressure=FIELDS)
    with pytest.raises(KdbenchError, match=r"u\.npz: key: found no array 'velocty'; .*velocity"):
        trajectories_in(path, ["velocty"], "NTHW")


def test_several_keys_are_channels(tmp_path: Path) -> None:
    path = written(tmp_path / "u.npz", Vx=FIELDS, Vy=FIELDS, small=FIELDS[:2])
    [found] = trajectories_in(path, ["Vx", "Vy"], "NTHW")
    assert found.shape == (4, 6, 2, 3, 5)
    with pytest.raises(KdbenchError, match=r"small: found shape \[2, 6, 3, 5\]; expected \[4, 6, 3, 5\], as of Vx"):
        trajectories_in(path, ["Vx", "small"], "NTHW")


def test_a_pattern_matches_an_array_for_each_trajectory(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "u.h5", "w") as file:
        for number in (1, 0):
            file[f"{number:04}/data"] = np.zeros((6, 3, 5, 2), dtype=np.float32)
            file[f"{number:04}/grid/x"] = np.zeros(3)
    found = trajectories_in(tmp_path / "u.h5", ["*/data"], "THWC")
    assert [one.arrays[0].name for one in found] == ["0000/data", "0001/data"]
    assert [one.shape for one in found] == [(1, 6, 2, 3, 5)] * 2


def test_patterns_must_match_as_many_arrays_each(tmp_path: Path) -> None:
    path = written(tmp_path / "u.npz", u0=FIELDS, u1=FIELDS, v0=FIELDS)
    with pytest.raises(KdbenchError, match=r"key: found \[2, 1\] arrays for u\*, v\*; expected as many for each"):
        trajectories_in(path, ["u*", "v*"], "NTHW")


def test_packed_values_are_refused(tmp_path: Path) -> None:
    with netcdf_file(tmp_path / "u.nc", "w") as file:
        for name, size in zip("NTHW", FIELDS.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("u", np.int16, tuple("NTHW")).scale_factor = 0.1
    with pytest.raises(KdbenchError, match=r"u\.nc: u: found packed values, .* `ncpdq -U`"):
        trajectories_in(tmp_path / "u.nc", ["u"], "NTHW")
