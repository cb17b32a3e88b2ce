"""The kit over every first-party strategy, and over wrong ones, of which it must name the property they break."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench import Signal, Skip, Strategy
from kdbench.plugins.loading import installed
from kdbench.testing import Finding, check_strategy, conform
from kdbench.testing.strategies import PROPERTIES, find
from kdbench.testing.strategy_runs import difference, global_seeds
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.strategies.fixed import Fixed
from tests.support.paths import ROOT

# Beside the example that the offer has.
MORE: dict[str, list[dict[str, Any]]] = {
    "ammkd": [{"C": 1.0}, {"normalize": "l2"}, {"space": "parameters"}],
}
FIRST_PARTY = [
    (name, params)
    for name, listed in installed().offers("strategy").items()
    if listed.provider.startswith("kdbench:")
    for params in [None, *MORE.get(name, [])]
]


def failing(findings: list[Finding]) -> dict[str, str]:
    return {finding.property: finding.detail for finding in findings if finding.outcome == "fails"}


@pytest.mark.parametrize(("name", "params"), FIRST_PARTY)
def test_first_party_strategies_conform(name: str, params: dict[str, Any] | None) -> None:
    findings = conform(installed().find("strategy", name).offer, "strategy", params, others={} if params else None)
    assert failing(findings) == {}


def test_the_example_conforms() -> None:
    path = ROOT / "plugins/example/kdbench_example.py"
    spec = importlib.util.spec_from_file_location("kdbench_example", path)
    assert spec
    assert spec.loader
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    check_strategy(example.Loudest)


class Base:
    """Weights by inverse loss. What is wrong derives from it."""

    def weigh(self, signal: Signal) -> Tensor:
        return (-signal.losses.mean(dim=1).clamp(min=1e-12).log()).softmax(dim=0)


class Doubled(Base):
    def weigh(self, signal: Signal) -> Tensor:
        return super().weigh(signal) * (2 if len(signal.teachers) == 3 else 1)


class Column(Base):
    def weigh(self, signal: Signal) -> Tensor:
        weights = super().weigh(signal)
        return weights[:, None] if len(signal.teachers) == 3 else weights


class Negative(Base):
    def weigh(self, signal: Signal) -> Tensor:
        weights = super().weigh(signal)
        return (weights - 2) / (weights - 2).sum() * -1 + 2 * weights if len(signal.teachers) == 3 else weights


class PerBatch(Base):
    """Sums to one over the batch and not over the teachers; of the right shape."""

    def weigh(self, signal: Signal) -> Tensor:
        weights = signal.losses.clamp(min=1e-12)
        over = 1 if len(signal.teachers) == 3 else 0
        return (weights.log() * 0.5).softmax(dim=over)


class Attached(Base):
    def weigh(self, signal: Signal) -> Tensor:
        return super().weigh(signal).requires_grad_()


class ByPlace(Base):
    def weigh(self, signal: Signal) -> Tensor:
        places = torch.arange(1.0, len(signal.teachers) + 1)
        return places / places.sum()


class ByPlaceLater(Base):
    """Has a favourite place once the first epoch is over."""

    def __init__(self) -> None:
        self.epochs = 0

    def end_epoch(self, validation: dict[str, float] | None) -> None:  # noqa: ARG002
        self.epochs += 1

    def weigh(self, signal: Signal) -> Tensor:
        return ByPlace().weigh(signal) if self.epochs else super().weigh(signal)

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epochs = state["epochs"]


class OneOverT(Base):
    """Softmax with a floor: nobody ever has all the weight."""

    def weigh(self, signal: Signal) -> Tensor:
        weights = super().weigh(signal)
        return weights if len(weights) > 1 else weights.new_tensor([0.9995])


class Divides(Base):
    """0/0 where there is no loss."""

    def weigh(self, signal: Signal) -> Tensor:
        losses = signal.losses.mean(dim=1)
        return losses / losses.sum()


class Overflows(Base):
    def weigh(self, signal: Signal) -> Tensor:
        powers = signal.losses.mean(dim=1).div(10).exp()
        return powers / powers.sum()


class Squares(Base):
    """Fine at the first step of losses times zero, not when it looks back upon them."""

    def __init__(self) -> None:
        self.before: Tensor | None = None

    def weigh(self, signal: Signal) -> Tensor:
        losses = signal.losses.mean(dim=1)
        ratio = torch.ones_like(losses) if self.before is None else losses / self.before
        self.before = losses
        return ratio / ratio.sum()

    def state_dict(self) -> dict[str, Any]:
        return {"before": self.before}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.before = state["before"]


class DrawsGlobally(Base):
    def weigh(self, signal: Signal) -> Tensor:
        chances = {"torch": torch.rand(1), "numpy": torch.tensor([np.random.rand()]), "python": torch.tensor([random.random()])}
        power = 1 + chances[self.source].float()
        return (-power * signal.losses.mean(dim=1).clamp(min=1e-12).log()).softmax(dim=0)

    source = "torch"


class DrawsFromNumPy(DrawsGlobally):
    source = "numpy"


class DrawsFromPython(DrawsGlobally):
    source = "python"


class Forgetful(Base):
    """A moving average that is not saved."""

    def __init__(self) -> None:
        self.average: Tensor | None = None

    def weigh(self, signal: Signal) -> Tensor:
        weights = super().weigh(signal)
        self.average = weights if self.average is None else 0.5 * self.average + 0.5 * weights
        return self.average


class HalfSaved(Forgetful):
    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average}


class SavedAsNothing(HalfSaved):
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Loads nothing."""


class SavedRounded(HalfSaved):
    def state_dict(self) -> dict[str, Any]:
        return {"average": None if self.average is None else self.average.half().float()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average = state["average"]


class SavedAsArray(HalfSaved):
    def state_dict(self) -> dict[str, Any]:
        return {"average": None if self.average is None else self.average.numpy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average = torch.from_numpy(state["average"])


class ForgetsOnSaving(HalfSaved):
    """What is saved is right, and what goes on without a break is not."""

    def state_dict(self) -> dict[str, Any]:
        average, self.average = self.average, None
        return {"average": average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average = state["average"]


class UnseenCounter(Base):
    """Counts, and forgets the count, which no weight shows within these steps."""

    def __init__(self) -> None:
        self.count = 0

    def observe(self, loss: float) -> None:  # noqa: ARG002
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert state["count"]


class Adds(Base):
    def weigh(self, signal: Signal) -> Tensor:
        weights = super().weigh(signal)
        signal.losses.add_(1)
        return weights


class Sorts(Base):
    one_tower = False

    def weigh(self, signal: Signal) -> Tensor:
        signal.teacher_embeddings[-1].neg_()
        return super().weigh(signal)


class Truth(Base):
    """Does not say that it needs both towers of each teacher."""

    def weigh(self, signal: Signal) -> Tensor:
        return (-signal.truth_losses).softmax(dim=0)


class Twin(Equal):
    """`equal` under another name."""


WRONG: list[tuple[Callable[[], Strategy], str, str]] = [
    (Doubled, "weights are a simplex", "expected a sum of 1"),
    (Column, "weights are a simplex", "found shape [3, 1], expected [3] or [3, 8]"),
    (Negative, "weights are a simplex", "not negative"),
    (PerBatch, "weights are a simplex", "expected a sum of 1"),
    (Attached, "no gradient", "expected none"),
    (ByPlace, "permuting teachers permutes weights", "order [1, 0]"),
    (ByPlaceLater, "permuting teachers permutes weights", "step 2"),
    (OneOverT, "one teacher has all the weight", "found [0.9995], expected 1"),
    (Truth, "teachers of one tower are weighted or refused", "the last without a text tower, seed 0: raised PluginError: "),
    (Divides, "finite for zero, huge and identical losses", "losses times 0"),
    (Overflows, "finite for zero, huge and identical losses", "losses times 1e+08"),
    (Squares, "finite for zero, huge and identical losses", "step 1"),
    (Forgetful, "state survives saving and loading", "begun anew after 1 steps"),
    (HalfSaved, "state survives saving and loading", "found only state_dict"),
    (SavedAsNothing, "state survives saving and loading", "loaded after 1 steps, step 1"),
    (SavedRounded, "state survives saving and loading", "loaded after"),
    (SavedAsArray, "state survives saving and loading", "cannot save ndarray"),
    (ForgetsOnSaving, "state survives saving and loading", "saved after every step"),
    (UnseenCounter, "state survives saving and loading", "the state at the end: 'count': found 11, expected 12"),
    (Adds, "inputs untouched", "signal.losses has changed"),
    (Sorts, "inputs untouched", "signal.teacher_embeddings[2] has changed"),
    (Twin, "unlike other strategies", "equal gives the same weights"),
]


@pytest.mark.parametrize(("build", "broken", "told"), WRONG, ids=[build.__name__ for build, _, _ in WRONG])
def test_a_wrong_strategy_is_told_the_property_it_breaks(build: Callable[[], Strategy], broken: str, told: str) -> None:
    found = failing(find(build, others={"equal": Equal}))
    assert set(found) == {broken}
    assert told in found[broken]


@pytest.mark.parametrize("build", [DrawsGlobally, DrawsFromNumPy, DrawsFromPython])
def test_global_random_numbers_are_found_wherever_they_come_from(build: Callable[[], Strategy]) -> None:
    """Two properties compare a run with another, and find them as well."""
    comparing = ["permuting teachers permutes weights", "state survives saving and loading"]
    found = failing(find(build, comparing, {"equal": Equal}))
    assert set(found) == {"same seed, same weights"}
    assert "2 teachers, batch 8, seed 0, other global random numbers, step 0" in found["same seed, same weights"]
    assert set(failing(find(build))) == {"same seed, same weights", *comparing}


def test_every_property_has_a_wrong_strategy() -> None:
    assert {broken for _, broken, _ in WRONG} | {"same seed, same weights"} == set(PROPERTIES)


def test_a_right_strategy_holds_every_property() -> None:
    findings = find(Base, others={"equal": Equal})
    assert [(finding.property, finding.outcome) for finding in findings] == [(name, "holds") for name in PROPERTIES]


def test_a_twin_may_have_other_shapes_and_skip_other_teams() -> None:
    class PerSample(Equal):
        def weigh(self, signal: Signal) -> Tensor:
            return torch.full_like(signal.losses, 1 / len(signal.teachers))

    uniform = {f"teacher{place}": 1.0 for place in range(3)}
    found = failing(find(PerSample, others={"fixed": lambda: Fixed(weights=uniform)}))
    assert set(found) == {"unlike other strategies"}
    assert "2 teachers" in found["unlike other strategies"]
    assert "5 teachers" not in found["unlike other strategies"]


def test_strategies_that_agree_at_first_are_no_twins() -> None:
    """Equal until the last epoch."""

    class Late(Base):
        def weigh(self, signal: Signal) -> Tensor:
            return super().weigh(signal) if signal.batch.progress > 0.8 else Equal().weigh(signal)

    assert failing(find(Late, others={"equal": Equal})) == {}


def test_a_strategy_may_skip_teams_of_some_sizes() -> None:
    """With C = 0.2 ammkd has weights for 5 teachers alone, and those are equal."""
    found = failing(find(lambda: Ammkd(C=0.2), others={"equal": Equal}))
    found.pop("one teacher has all the weight", None)
    assert set(found) == {"unlike other strategies"}
    assert "5 teachers" in found["unlike other strategies"]
    assert "2 teachers" not in found["unlike other strategies"]


def test_skipping_every_team_is_not_holding() -> None:
    class Absent:
        def weigh(self, signal: Signal) -> Tensor:  # noqa: ARG002
            raise Skip("no such device")

    found = failing(find(Absent))
    assert set(found) == set(PROPERTIES) - {"unlike other strategies"}
    assert "skipped, no such device; expected weights" in found["weights are a simplex"]


def test_what_a_strategy_raises_is_quoted_with_the_input() -> None:
    class Raises(Base):
        def weigh(self, signal: Signal) -> Tensor:
            if len(signal.teachers) == 5:
                raise IndexError("five is too many")
            return super().weigh(signal)

    found = failing(find(Raises))
    assert "5 teachers, batch 8, seed 0: raised IndexError: five is too many (test_strategies.py" in found["no gradient"]
    assert "one teacher has all the weight" not in found


def test_raw_weights_need_only_be_finite() -> None:
    class Raw(Base):
        raw = True

        def weigh(self, signal: Signal) -> Tensor:
            return super().weigh(signal) * (3 if len(signal.teachers) > 1 else 1) - 0.5 * (len(signal.teachers) > 1)

    assert failing(find(Raw)) == {}


def test_checks_raise_with_all_that_fails_unless_waived() -> None:
    check_strategy(Base, others={"equal": Equal})
    with pytest.raises(AssertionError, match="1 of the properties fail:\n  permuting teachers permutes weights: 2 teachers"):
        check_strategy(ByPlace)
    check_strategy(ByPlace, waives=["permuting teachers permutes weights"])
    check_strategy(ByPlace, waives={"permuting teachers permutes weights": "by place, on purpose"})


def test_global_random_numbers_go_on_as_if_nothing_had_been_drawn() -> None:
    def draw() -> tuple[float, float, float]:
        return float(torch.rand(1)), float(np.random.rand()), random.random()

    def seed() -> None:
        torch.manual_seed(3)
        np.random.seed(3)
        random.seed(3)

    seed()
    expected = draw()
    seed()
    with global_seeds(1):
        assert draw() != expected
    with global_seeds(3):
        assert draw() == expected
    assert draw() == expected


def test_differences_are_told_by_place() -> None:
    nan = float("nan")
    assert difference({"a": [1, torch.tensor([nan])]}, {"a": [1, torch.tensor([nan])]}) is None
    assert difference({"a": [1, {"b": nan}]}, {"a": [1, {"b": nan}]}) is None
    assert difference({"a": [1, 2]}, {"a": [1, 3]}) == "'a': 1: found 2, expected 3"
    assert difference({"a": torch.ones(2)}, {"a": torch.tensor([1.0, 2.0])}) == "'a': found 1, expected 2"
    assert difference(torch.ones(2), torch.ones(2).double()) == "found torch.float32, expected torch.float64"
    assert difference(torch.ones(2), torch.ones(3)) == "found shape [2], expected [3]"
    assert difference(1, 1.0) == "found 1, expected 1.0"
    assert difference([1], [1, 2]) == "found [1], expected [1, 2]"
    assert difference({"a": 1}, {"b": 1}) == "found {'a': 1}, expected {'b': 1}"
