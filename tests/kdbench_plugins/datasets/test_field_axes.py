"""Axes of arrays in any order, known layouts, and channels of several arrays."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from kdbench import KdbenchError
from kdbench_plugins.datasets.field_array import FieldArray
from kdbench_plugins.datasets.field_axes import ORDER, Trajectories, axes_of, check_axes

SIZES = {"N": 4, "T": 6, "C": 2, "H": 3, "W": 5}
FIELDS = np.random.default_rng(0).standard_normal(tuple(SIZES.values()))


def array(shape: tuple[int, ...], name: str = "u.npy") -> FieldArray:
    return FieldArray(Path(name), "u", shape, np.zeros(shape).__getitem__)


def laid_out(axes: str) -> FieldArray:
    """The fields in another order of axes; those that it leaves out are at their first place."""
    values = FIELDS[tuple(slice(None) if letter in axes else 0 for letter in ORDER)]
    values = values.transpose([[one for one in ORDER if one in axes].index(letter) for letter in axes])
    return FieldArray(Path("u.npy"), "u", values.shape, values.__getitem__)


@pytest.mark.parametrize("axes", [*map("".join, [*permutations(ORDER)][::7]), "NHWT", "THWC", "WHT"])
def test_fields_are_the_same_in_any_order_of_axes(axes: str) -> None:
    found = Trajectories((laid_out(axes),), axes)
    expected = FIELDS[tuple(slice(None) if letter in axes else slice(0, 1) for letter in ORDER)].astype(np.float32)
    assert found.shape == expected.shape
    for places in ([0], [0, 1], [1, 3]) if "N" in axes else ([0],):
        read = found.read(places, slice(1, 6, 2))
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, expected[places, 1:6:2])


def test_arrays_are_channels_one_after_the_other() -> None:
    found = Trajectories((laid_out("NTCHW"), laid_out("NTCHW")), "NTCHW")
    assert found.shape == (4, 6, 4, 3, 5)
    np.testing.assert_array_equal(found.read([2], slice(None))[0, :, 2:], FIELDS[2].astype(np.float32))


def test_layouts_of_known_files_need_no_axes() -> None:
    assert axes_of(array((5000, 64, 64, 50), "ns_V1e-3_N5000_T50.mat"), None) == "NHWT"
    assert axes_of(array((4, 1000, 512, 512, 2), "ns_incom_inhom_2d_512-0.h5"), None) == "NTHWC"


def test_other_layouts_are_asked_for() -> None:
    with pytest.raises(KdbenchError, match=r"axes: found none given for an array of shape \[8, 20, 16, 16\]"):
        axes_of(array((8, 20, 16, 16)), None)


def test_axes_must_be_as_many_as_the_array_has() -> None:
    with pytest.raises(KdbenchError, match=r"found 'NTHW' for an array of shape \[8, 20, 1, 16, 16\]; expected 5 letters"):
        axes_of(array((8, 20, 1, 16, 16)), "NTHW")


@pytest.mark.parametrize("axes", ["NHW", "NTHWX", "NTHWW", "nthw", ""])
def test_letters_are_checked(axes: str) -> None:
    with pytest.raises(KdbenchError, match=f"axes: found '{axes}'; expected each of T, H, W once"):
        check_axes(axes, "dataset field_folder")
