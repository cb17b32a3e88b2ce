"""Fields of one's own: samples, splits by trajectory, and what is told of files that do not fit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from kdbench import KdbenchError
from kdbench.plugins.parameters import check_deeper, checked_params
from kdbench.storage.cache import Cache
from kdbench.storage.memory_map import take
from kdbench.tasks.forecasting.opened import OpenedFields
from kdbench.testing.findings import insist
from kdbench.testing.forecasting.datasets import find
from kdbench_plugins.datasets.field_folder import FieldFolder, kdbench_datasets
from kdbench_plugins.datasets.field_miniature import COUNT, FRAMES, GRID
from kdbench_plugins.datasets.field_splits import deal

FIELDS = np.random.default_rng(0).standard_normal((10, 8, 4, 6)).astype(np.float32)
FEW: dict[str, Any] = {"axes": "NTHW", "history": 2, "horizon": 1, "validation": 0.2, "test": 0.3}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.save(tmp_path / "u.npy", FIELDS)
    return tmp_path / "u.npy"


def few(path: Path, **others: Any) -> FieldFolder:
    return FieldFolder(path=path, **(FEW | others))


def frames(dataset: FieldFolder, name: Any) -> NDArray[Any]:
    found: NDArray[Any] = dataset.split(name).frames[:]
    return found


def test_it_has_the_properties_of_a_dataset_of_fields(path: Path) -> None:
    insist(find(partial(few, path, stride=2, seed=0)))


def test_trajectories_go_to_the_splits_in_order(path: Path) -> None:
    dataset = few(path)
    for name, part in (("train", FIELDS[:5]), ("validation", FIELDS[5:7]), ("test", FIELDS[7:])):
        np.testing.assert_array_equal(frames(dataset, name), part[:, :3, None])
    assert list(dataset.split("validation").ids) == ["u.npy#5", "u.npy#6"]
    assert dataset.notes == ("u.npy read as NTHW: 10 trajectories of 8 frames, 1 × 4 × 6",)


def test_a_seed_draws_them(path: Path) -> None:
    dealt = deal(10, 0.2, 0.3, 1, "u.npy")
    assert sorted(place for of in dealt.values() for place in of) == list(range(10))
    assert [len(of) for of in dealt.values()] == [5, 2, 3]
    assert dealt["train"] != list(range(5))
    np.testing.assert_array_equal(frames(few(path, seed=1), "train"), FIELDS[dealt["train"]][:, :3, None])
    assert few(path, seed=1).fingerprint != few(path).fingerprint


@pytest.mark.parametrize(("every", "stride", "beyond"), [(1, 2, 0), (2, 1, 0), (1, None, 2), (2, None, 1)])
def test_samples_are_windows_of_trajectories(path: Path, every: int, stride: int | None, beyond: int) -> None:
    split = few(path, every=every, stride=stride, beyond=beyond).split("test")
    used, length = FIELDS[7:, ::every, None], 3 + beyond
    starts = range(0, used.shape[1] - length + 1, stride) if stride else [0]
    expected = np.concatenate([np.stack([one[start : start + length] for start in starts]) for one in used])
    np.testing.assert_array_equal(split.frames[:], expected)
    places = np.array([len(expected) - 1, 0, 0])
    np.testing.assert_array_equal(take(split.frames, places), expected[places])
    assert list(split.ids) == [f"u.npy#{number}" for number in (7, 8, 9) for _ in starts]


def test_trajectories_of_several_files_follow_each_other(tmp_path: Path) -> None:
    for number in range(5):
        np.save(tmp_path / f"{number}.npy", FIELDS[2 * number : 2 * number + 2])
    dataset = few(tmp_path)
    np.testing.assert_array_equal(frames(dataset, "train"), FIELDS[:5, :3, None])
    assert list(dataset.split("train").ids)[-2:] == ["1.npy#1", "2.npy#0"]


def test_files_of_other_shapes_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", FIELDS)
    np.save(tmp_path / "b.npy", FIELDS[..., :-1])
    with pytest.raises(
        KdbenchError, match=r"b\.npy: found T, C, H, W = \(8, 1, 4, 5\); expected \(8, 1, 4, 6\), as in .*a\.npy"
    ):
        few(tmp_path).split("train")


def test_files_of_the_neural_operator_need_a_path_alone(tmp_path: Path) -> None:
    """`ns_V1e-3_N5000_T50.mat` holds a [N, H, W], t [T] and u [N, H, W, T]."""
    field = FIELDS.transpose(0, 2, 3, 1)
    savemat(tmp_path / "ns.mat", {"a": field[..., 0], "t": np.arange(8.0), "u": field})
    dataset = FieldFolder(path=tmp_path / "ns.mat", history=2, horizon=1)
    np.testing.assert_array_equal(frames(dataset, "train"), FIELDS[:8, :3, None])


def test_files_of_pdebench_need_a_key(tmp_path: Path) -> None:
    """Its velocities are [N, T, H, W, C], beside forces of the same shape."""
    h5py = pytest.importorskip("h5py")
    velocity = np.stack([FIELDS, 2 * FIELDS], axis=-1)
    with h5py.File(tmp_path / "ns_incom.h5", "w") as file:
        file["velocity"], file["force"], file["t"] = velocity, velocity, np.arange(8.0)
    dataset = FieldFolder(path=tmp_path / "ns_incom.h5", key="velocity", history=2, horizon=1)
    np.testing.assert_array_equal(frames(dataset, "train"), np.moveaxis(velocity[:8, :3], -1, 2))


def test_moving_files_changes_nothing_and_writing_them_does(path: Path) -> None:
    moved = path.parent / "elsewhere" / path.name
    moved.parent.mkdir()
    first = few(path).fingerprint
    path.rename(moved)
    assert few(moved).fingerprint == first
    np.save(moved, FIELDS[:9])
    assert few(moved).fingerprint != first


def test_fields_are_stored_with_their_digest(path: Path, tmp_path: Path) -> None:
    data = OpenedFields(few(path, stride=2), Cache(tmp_path / "cache"), "cpu", lambda *_: None)
    np.testing.assert_array_equal(data.split("test").frames, frames(few(path, stride=2), "test"))
    other = OpenedFields(few(path, stride=2, seed=3), Cache(tmp_path / "cache"), "cpu", lambda *_: None)
    assert other.digest != data.digest


def test_values_that_are_not_finite_are_named_with_their_trajectory(path: Path) -> None:
    broken = FIELDS.copy()
    broken[8, 1, 0, 0] = np.nan
    np.save(path, broken)
    with pytest.raises(KdbenchError, match=r"u\.npy: found a value that is not finite in trajectory 8; expected numbers"):
        frames(few(path), "test")
    assert np.isfinite(frames(few(path), "train")).all()


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"history": 8}, r"found 8 frames in a trajectory; expected at least 9, the sum of history, horizon and beyond"),
        ({"every": 3, "horizon": 2}, r"found 3 frames in a trajectory \(1 in 3 of 8\); expected at least 4"),
        ({"validation": 0.5, "test": 0.5}, r"validation, test: found 0\.5 \+ 0\.5; expected less than 1 together"),
        ({"axes": "NTW"}, r"axes: found 'NTW'; expected each of T, H, W once"),
        ({"axes": None}, r"axes: found none given"),
        ({"key": "u"}, r"key: found no array 'u'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_a_run(path: Path, others: dict[str, Any], message: str) -> None:
    [offer] = kdbench_datasets()
    with pytest.raises(KdbenchError, match=message):
        check_deeper(offer, checked_params(offer, {"path": str(path)} | FEW | others))


def test_too_few_trajectories_are_refused(path: Path) -> None:
    np.save(path, FIELDS[:2])
    with pytest.raises(KdbenchError, match="found 2 trajectories; expected at least 3, one for each split"):
        few(path).split("train")


def test_the_miniature_stands_in_for_files(path: Path) -> None:
    [offer] = kdbench_datasets()
    assert offer.smoke is not None
    params = offer.smoke(checked_params(offer, {"path": str(path)} | FEW | {"beyond": 4}))
    check_deeper(offer, params)
    dataset = FieldFolder(**params)
    assert dataset.split("train").frames.shape == (10, 7, 1, GRID, GRID)
    assert dataset.notes == (f"fields.npy read as NTHW: {COUNT} trajectories of {FRAMES} frames, 1 × {GRID} × {GRID}",)
    assert offer.reads is not None
    assert [file.name for file in offer.reads(**params)] == ["fields.npy"]


def test_an_unknown_split_is_refused_with_the_nearest(path: Path) -> None:
    with pytest.raises(KdbenchError, match="validation"):
        few(path).split("valid")  # type: ignore[arg-type]


def test_more_trajectories_than_anybody_has_are_not_laid_out(tmp_path: Path) -> None:
    """A file of HDF5 may state any number and hold none."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "u.h5", "w") as file:
        file.create_dataset("u", shape=(2 * 10**6, 4, 1, 2, 2), chunks=(1, 4, 1, 2, 2), dtype="f4")
        file["grid"] = np.zeros(10**5)
    with pytest.raises(KdbenchError, match=r"u\.h5: u: found 2,000,000 trajectories.*expected at most 1,000,000"):
        FieldFolder(path=tmp_path / "u.h5", key="u", history=2, horizon=2).split("train")
