"""Weights of a sum other than one, where a strategy may have them and where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from kdbench import Offer, Signal
from kdbench.records.verify import verify
from kdbench.suite.spec import PluginSpec
from tests.support.made_records import edit, made
from tests.support.toys import plugged, toy_plugins

RAW: dict[str, Any] = {"trace": False, "weights": {"a": 1.5, "b": -0.25}}


class Loud:
    """Weights as they come, if asked."""

    def __init__(self, *, raw: bool = True) -> None:
        self.raw = raw

    def weigh(self, signal: Signal) -> Tensor:
        return signal.losses.mean(dim=1)


def problems(folder: Path, strategy: PluginSpec, **changes: Any) -> list[Any]:
    made(folder, spec={"strategy": strategy}, **changes)
    return verify([folder], toy_plugins(strategies=[Offer("loud", Loud)]))[1]


def test_a_raw_strategy_may_have_any_weights(tmp_path: Path) -> None:
    assert problems(tmp_path, plugged("loud", raw=True), **RAW) == []


@pytest.mark.parametrize("strategy", [plugged("loud", raw=False), plugged("equal")])
def test_others_may_not(strategy: PluginSpec, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, strategy, **RAW)
    assert (problem.what, problem.expected) == ("weights", "none negative and a sum of 1")
    assert problem.found == "a 1.5, b -0.25: a sum of 1.25"


def test_of_a_strategy_that_is_not_installed_nothing_is_believed(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, plugged("laud"), **RAW)
    assert "whether 'laud' allows others is unknown" in problem.expected
    assert "did you mean 'loud'?" in problem.expected


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    strategy = plugged("loud", raw=True)
    path = made(tmp_path, spec={"strategy": strategy}, trace=False)
    for value in (float("nan"), float("inf")):
        edit(path, lambda record: record.update(weights={"a": value, "b": 1.0}))  # noqa: B023  # called at once
        (problem,) = verify([tmp_path], toy_plugins(strategies=[Offer("loud", Loud)]))[1]
        assert problem.what == "not a record: weights.a"


def test_a_negative_weight_in_a_sum_of_one(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, plugged("equal"), trace=False, weights={"a": 1.25, "b": -0.25})
    assert problem.what == "weights"


@pytest.mark.parametrize(("off", "fine"), [(9e-4, True), (2e-3, False)])
def test_as_close_to_one_as_training_asks(off: float, fine: bool, tmp_path: Path) -> None:
    assert (problems(tmp_path, plugged("equal"), trace=False, weights={"a": 0.5, "b": 0.5 + off}) == []) is fine
