"""All fields of a dataset are read, counted and hashed as a run would; those that cannot be used are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import KdbenchError
from kdbench.storage.cache import Cache
from kdbench.tasks.forecasting.check_fields import Counts, check
from kdbench.tasks.forecasting.fields import FieldSplit
from kdbench.tasks.forecasting.opened import OpenedFields


class Given:
    """A dataset of given frames, read `block` samples at a time; some trajectories cannot be read."""

    history, horizon, licence, fingerprint = 2, 1, "none", "given"
    notes = ("as they were given",)

    def __init__(self, frames: dict[str, NDArray[Any]], unreadable: str = "") -> None:
        self.unreadable, self.frames = unreadable, frames

    def split(self, name: Any) -> FieldSplit:
        ids = [f"{name}-{number // 2}" for number in range(len(self.frames[name]))]
        return FieldSplit(Blocks(self.frames[name], ids, self.unreadable), ids)


class Blocks:
    block = 2

    def __init__(self, values: NDArray[Any], ids: list[str], unreadable: str) -> None:
        self.values, self.ids, self.unreadable, self.shape = values, ids, unreadable, values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, samples: slice) -> NDArray[Any]:
        assert samples.stop - samples.start <= self.block
        if self.unreadable in self.ids[samples]:
            raise KdbenchError("the disk is full of holes")
        return self.values[samples]


def frames() -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    sizes = {"train": 5, "validation": 2, "test": 3}
    return {name: rng.standard_normal((size, 3, 1, 4, 6)).astype(np.float32) for name, size in sizes.items()}


def silent(stage: str, done: int, total: int) -> None:
    """Is not listening."""


def test_counts_and_digest_are_those_of_a_run(tmp_path: Path) -> None:
    dataset, told = Given(frames()), list[tuple[str, int, int]]()
    found = check(dataset, lambda *report: told.append(report))
    assert found.counts["train"] == Counts(3, 5, 3, 1, 4, 6)
    assert found.digest == OpenedFields(dataset, Cache(tmp_path), "cpu", silent).digest
    assert (found.problems, found.notes) == ([], ["as they were given"])
    assert [done for stage, done, _ in told if stage == "check train fields"] == [0, 2, 4, 5]


def test_every_sample_that_cannot_be_used_is_named() -> None:
    given = frames()
    given["train"][3, 0, 0, 0, 0] = np.inf
    found = check(Given(given, unreadable="test-0"), silent)
    assert found.digest is None
    assert [problem.error.partition(": ")[0] for problem in found.problems] == [
        "train sample 3, train-1",
        "test sample 0, test-0",
        "test sample 1, test-0",
    ]
    assert "a value that is not finite" in found.problems[0].error
    assert "the disk is full of holes" in found.problems[1].error


def test_equal_fields_in_two_splits_are_told() -> None:
    given = frames()
    given["test"][2] = given["train"][0]
    given["train"][1] = given["train"][0]  # in one split, nothing is given away
    found = check(Given(given), silent)
    assert found.notes[1:] == ["test test-1 has the same fields as train train-0: the test is not of new data"]
