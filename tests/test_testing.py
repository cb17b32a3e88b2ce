"""The conformance kit, over every first-party strategy and objective, and over wrong ones, which it must name."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdbench.contracts import Pairs, Signal
from kdbench.errors import PluginError
from kdbench.params import construct
from kdbench.plugins import installed
from kdbench.testing import check_objective, check_strategy

PARAMS: dict[str, list[dict[str, Any]]] = {
    "ammkd": [{}, {"C": 1.0}, {"normalize": "l2"}],
    "fixed": [{"weights": {f"teacher{index}": index + 1.0 for index in range(5)}}],
}
FIRST_PARTY = [
    (name, params)
    for name, listed in installed().offers("strategy").items()
    if listed.provider.startswith("kdbench:")
    for params in PARAMS.get(name, [{}])
]


@pytest.mark.parametrize(("name", "params"), FIRST_PARTY)
def test_first_party_strategies_conform(name: str, params: dict[str, Any]) -> None:
    offer = installed().find("strategy", name).offer
    check_strategy(lambda: construct(offer, params), stochastic=name == "random")


@pytest.mark.parametrize("name", list(installed().offers("objective")))
def test_first_party_objectives_conform(name: str) -> None:
    offer = installed().find("objective", name).offer
    check_objective(lambda: construct(offer, {}))


def test_the_example_conforms() -> None:
    path = Path(__file__).parents[1] / "plugins/example/kdbench_example.py"
    spec = importlib.util.spec_from_file_location("kdbench_example", path)
    assert spec
    assert spec.loader
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    check_strategy(example.Loudest)


class Wrong:
    """A strategy that breaks one property."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.calls = 0

    def weigh(self, signal: Signal) -> Tensor:
        teachers = len(signal.teachers)
        equal = signal.losses.new_full((teachers,), 1 / teachers)
        if self.how == "gradient":
            return equal.requires_grad_()
        if self.how == "sum":
            return equal * 2
        if self.how == "shape":
            return equal[:1]
        if self.how == "order":
            return torch.arange(1.0, teachers + 1) / sum(range(1, teachers + 1))
        if self.how == "draws":
            return torch.rand(teachers).softmax(0)
        signal.losses.add_(1)
        return equal


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("gradient", "carry no gradient"),
        ("sum", "expected a sum of 1"),
        ("shape", "found shape"),
        ("order", "permuting teachers permutes weights"),
        ("draws", "the same seed gives the same weights"),
        ("touches", "the signal is left as it was"),
    ],
)
def test_a_wrong_strategy_is_told_what_it_breaks(how: str, named: str) -> None:
    with pytest.raises((AssertionError, PluginError), match=named):
        check_strategy(lambda: Wrong(how))


class WrongObjective:
    def __init__(self, how: str) -> None:
        self.how = how

    def head(self, student_width: int, teacher_width: int) -> nn.Module:
        return nn.Linear(student_width, teacher_width)

    def losses(self, student: Pairs, teacher: Pairs, head: Any) -> Tensor:
        distance: Tensor = (head(student.image) - teacher.image).square().sum(dim=1)
        wrong: dict[str, Tensor] = {
            "mean": distance.mean(),
            "infinite": distance / 0,
            "detached": distance.detach().requires_grad_(),
        }
        return wrong[self.how]


@pytest.mark.parametrize(
    ("how", "named"), [("mean", "one loss per sample"), ("infinite", "finite"), ("detached", "move the student")]
)
def test_a_wrong_objective_is_told_what_it_breaks(how: str, named: str) -> None:
    with pytest.raises(AssertionError, match=named):
        check_objective(lambda: WrongObjective(how))
