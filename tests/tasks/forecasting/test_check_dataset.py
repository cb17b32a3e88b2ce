from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kdbench import SplitName
from kdbench.tasks.forecasting.check_dataset import problems
from kdbench.tasks.forecasting.fields import FieldSplit
from kdbench.testing.forecasting.waves import Waves

SMALL = (4, 4)


def found(**changed: Any) -> list[tuple[str, str, str]]:
    """Problems of waves with other attributes, or with splits changed by functions of their names."""
    dataset: Any = Waves(grid=SMALL)
    splits = {name: changed.pop(name, lambda split: split) for name in ("train", "validation", "test")}
    original = dataset.split
    dataset.split = lambda name: splits[name](original(name))
    for name, value in changed.items():
        setattr(dataset, name, value)
    return list(problems(dataset, 100))


def test_waves_have_none() -> None:
    assert found() == []
    assert list(problems(Waves(grid=SMALL, windows=2, beyond=3), 100)) == []


@pytest.mark.parametrize(
    ("changed", "where", "what"),
    [
        ({"history": 0}, "history", "0"),
        ({"horizon": 101}, "horizon", "101"),
        ({"licence": " "}, "licence", "' '"),
        ({"test": lambda _: []}, "split('test')", "list"),
        ({"train": lambda split: replace(split, frames=split.frames[:, 0])}, "train split, frames", "shape [24, 1, 4, 4]"),
        ({"train": lambda split: replace(split, frames=split.frames[:, :4])}, "train split, frames", "4 frames"),
        ({"test": lambda split: replace(split, ids=split.ids[1:])}, "test split, ids", "7 entries"),
        ({"test": lambda split: replace(split, ids=["a", "b", "a", *split.ids[3:]])}, "test split, ids", "'a' in two places"),
        ({"test": lambda split: replace(split, frames=split.frames[..., :2])}, "test split, frames", "C, H, W = (1, 4, 2)"),
        ({"test": lambda split: replace(split, ids=["train 0", *split.ids[1:]])}, "test split, ids", "1 of the train split"),
        ({"test": lambda split: replace(split, ids=["a"] * 8)}, "test split", "a single trajectory"),
    ],
)
def test_a_problem_is_named(changed: dict[str, Any], where: str, what: str) -> None:
    [(place, seen, _)] = found(**changed)
    assert place == where
    assert seen.startswith(what)


def test_no_field_is_read() -> None:
    class Unread:
        shape = (8, 5, 1, 4, 4)

        def __getitem__(self, samples: slice) -> np.ndarray:
            raise AssertionError(f"read {samples}")

    class Far(Waves):
        def split(self, name: SplitName) -> FieldSplit:
            return FieldSplit(Unread(), [f"{name} {sample}" for sample in range(8)])

    assert list(problems(Far(grid=SMALL), 100)) == []
