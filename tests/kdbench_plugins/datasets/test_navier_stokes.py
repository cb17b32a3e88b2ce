"""Computed vorticity: the same for the same seed, whatever is computed beside it, and computed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from kdbench import KdbenchError
from kdbench.plugins.parameters import check_deeper, checked_params
from kdbench.storage.cache import Cache, FilledCache
from kdbench.tasks.forecasting.opened import OpenedFields
from kdbench.testing.findings import insist
from kdbench.testing.forecasting.datasets import find
from kdbench_plugins.datasets.navier_stokes import SMALL, NavierStokes, kdbench_datasets

FEW: dict[str, Any] = {"grid": 8, "train": 5, "validation": 2, "test": 3, "history": 2, "horizon": 2}
FEW |= {"interval": 0.1, "time_step": 0.05}


def few(**others: Any) -> NavierStokes:
    return NavierStokes(**(FEW | others))


def fields(dataset: NavierStokes, name: Any = "train") -> Any:
    return dataset.split(name).frames[:]


def opened(dataset: NavierStokes, cache: Cache, told: list[tuple[str, int, int]] | None = None) -> OpenedFields:
    heard = [] if told is None else told
    return OpenedFields(dataset, cache, "cpu", lambda *report: heard.append(report))


def test_it_has_the_properties_of_a_dataset_of_fields() -> None:
    insist(find(few))


def test_frames_are_float32_and_of_the_shape_it_states() -> None:
    frames = few(beyond=3).split("test").frames
    assert frames.shape == (3, 7, 1, 8, 8)
    assert frames[1:].shape == (2, 7, 1, 8, 8)
    assert frames[:].dtype == np.float32


def test_numbers_of_trajectories_and_further_frames_change_no_other() -> None:
    expected = fields(few())
    assert np.array_equal(fields(few(train=2)), expected[:2])
    assert np.array_equal(fields(few(test=7, validation=1)), expected)
    assert np.array_equal(fields(few(beyond=2))[:, :4], expected)


def test_trajectories_do_not_depend_on_which_are_computed_together() -> None:
    frames = few(grid=64, interval=0.02, time_step=0.01, train=6).split("train").frames
    assert frames.block < len(frames)
    alone = np.concatenate([frames[place : place + 1] for place in range(len(frames))])
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert np.array_equal(frames[:], alone)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("change", [{"seed": 1}, {"viscosity": 0.1}, {"forcing": False}, {"interval": 0.2}])
def test_parameters_change_fields_and_fingerprint(change: dict[str, Any]) -> None:
    assert few(**change).fingerprint != few().fingerprint
    assert not np.array_equal(fields(few(**change)), fields(few()))


def test_splits_hold_different_trajectories() -> None:
    dataset = few(train=3, validation=3, test=3)
    train, validation, test = (fields(dataset, name) for name in ("train", "validation", "test"))
    assert not np.array_equal(train, validation)
    assert not np.array_equal(test, validation)


def test_without_forcing_the_fluid_comes_to_rest() -> None:
    found = fields(few(forcing=False, viscosity=0.05, interval=1.0))
    assert (np.abs(found[:, -1]).max((-2, -1)) < 0.1 * np.abs(found[:, 0]).max((-2, -1))).all()


def test_fields_are_computed_once_and_told_of(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    first = opened(few(), Cache(tmp_path), told)
    digest = first.digest
    assert ("read train fields", 5, 5) in told
    again = opened(few(), FilledCache(tmp_path, ["datasets"]))  # a cache that makes none
    assert again.digest == digest
    stored = again.split("train").frames
    assert isinstance(stored, np.memmap)
    assert not stored.flags.writeable
    assert np.array_equal(stored, fields(few()))


def test_progress_is_told_for_a_few_trajectories_at_a_time(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    _ = opened(few(grid=64, history=1, horizon=1, interval=0.01, time_step=0.01, train=9), Cache(tmp_path), told).entry
    assert [done for stage, done, _ in told if stage == "read train fields"] == [4, 8, 9]


def test_the_digest_is_of_the_fields(tmp_path: Path) -> None:
    digests = {opened(few(**change), Cache(tmp_path)).digest for change in ({}, {"seed": 1}, {"test": 4})}
    assert len(digests) == 3
    assert opened(few(), Cache(tmp_path / "other")).digest in digests


def test_a_step_that_is_too_long_is_named_with_the_trajectory_that_it_spoils() -> None:
    wild = few(viscosity=0.0, interval=400.0, time_step=40.0)
    with pytest.raises(KdbenchError, match=r"time_step: found 40, with which trajectory train-0 is not finite at time \d+"):
        fields(wild)


@pytest.mark.parametrize(("step", "near"), [(0.3, "0.25"), (0.03, "0.025"), (2.0, "1.0")])
def test_a_step_must_divide_the_interval(step: float, near: str) -> None:
    with pytest.raises(KdbenchError, match=f"time_step: found {step:g} with an interval of 1 .* such as {near}$"):
        few(interval=1.0, time_step=step)
    assert few(interval=1.0, time_step=float(near))


def test_decimal_fractions_divide_as_written() -> None:
    assert few(interval=0.3, time_step=0.1)
    assert few(interval=1.0, time_step=1e-4)


def test_parameters_are_checked_before_anything_is_computed() -> None:
    [offer] = kdbench_datasets()
    with pytest.raises(ValidationError, match="grid"):
        checked_params(offer, {"grid": 17})
    with pytest.raises(KdbenchError, match=r"time_step: found 0\.3"):
        check_deeper(offer, checked_params(offer, {"time_step": 0.3}))
    assert offer.smoke is not None
    small = NavierStokes(**offer.smoke(checked_params(offer, {"history": 3, "grid": 32})))
    assert small.history == 3
    assert small.split("train").frames.shape == (64, 13, 1, 32, 32)
    assert NavierStokes(**SMALL).split("test").frames.shape == (4, 20, 1, 16, 16)


def test_an_unknown_split_is_refused_with_the_nearest() -> None:
    with pytest.raises(KdbenchError, match="validation"):
        few().split("valid")  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{"test": 10**12}, {"history": 10**9}, {"beyond": 10**9}])
def test_numbers_that_records_of_others_may_name_are_bounded(given: dict[str, int]) -> None:
    (offer,) = kdbench_datasets()
    with pytest.raises(ValidationError, match="less than or equal to"):
        checked_params(offer, given)


def test_frames_are_no_hundred_thousand_steps_apart() -> None:
    with pytest.raises(KdbenchError, match="time_step: found 1,000,000,000 steps between frames; expected at most 100,000"):
        few(interval=1.0, time_step=1e-9)
