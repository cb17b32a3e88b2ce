"""`fixed`."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdbench import KdbenchError, Skip
from kdbench.plugins.parameters import params_model
from kdbench_plugins.strategies.fixed import Fixed, kdbench_strategies
from tests.support.toys import signal_of

NAMES = ("lite0", "lite1", "lite2")


def weigh(weights: dict[str, float], names: tuple[str, ...] = NAMES) -> list[float]:
    found: list[float] = Fixed(weights=weights).weigh(signal_of(torch.ones(len(names), 4, dtype=torch.float64), names)).tolist()
    return found


def test_weights_go_by_name_and_not_by_place() -> None:
    given_weights = {"lite2": 5.0, "lite0": 3.0, "lite1": 2.0}
    assert weigh(given_weights) == pytest.approx([0.3, 0.2, 0.5])
    assert weigh(given_weights, ("lite1", "lite2", "lite0")) == pytest.approx([0.2, 0.5, 0.3])


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=3).filter(lambda values: sum(values) > 1e-3), st.floats(1e-3, 1e3))
def test_only_proportions_count(values: list[float], factor: float) -> None:
    found = weigh(dict(zip(NAMES, values, strict=True)))
    assert sum(found) == pytest.approx(1)
    assert min(found) >= 0
    assert found == pytest.approx(weigh({name: factor * value for name, value in zip(NAMES, values, strict=True)}))


@pytest.mark.parametrize("factor", [1e-60, 1.0, 1e60])
def test_weights_may_be_smaller_and_larger_than_float32(factor: float) -> None:
    losses = torch.ones(3, 4)
    given = {name: factor * value for name, value in zip(NAMES, (2.0, 1.0, 5.0), strict=True)}
    found = Fixed(weights=given).weigh(signal_of(losses, NAMES))
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx([0.25, 0.125, 0.625])


def test_names_outside_the_team_are_left_aside() -> None:
    assert weigh({"lite0": 1, "lite1": 3, "stranger": 100}, ("lite0", "lite1")) == pytest.approx([0.25, 0.75])


def test_a_team_with_a_teacher_that_has_no_weight_is_skipped() -> None:
    with pytest.raises(Skip, match="no weight for lite1, lite2; weights are given for lite0"):
        weigh({"lite0": 1.0})


def test_weights_for_no_team_of_a_suite_are_refused_before_a_run() -> None:
    strategy = Fixed(weights={"lite0": 1.0, "lit1": 1.0})
    with pytest.raises(KdbenchError, match=r"found lite0, lit1; expected .*lite1.* did you mean 'lit1'\?"):
        strategy.check_teams([["lite0", "lite1"], ["lite1", "lite2"]], None)
    strategy.check_teams([["lite0", "lite1"], ["lite0", "lit1"]], None)


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(KdbenchError, match="the weights of lite0, lite1, lite2 are all zero"):
        weigh({"lite0": 0, "lite1": 0, "lite2": 0, "stranger": 1})


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf"), "1"])
def test_a_suite_cannot_give_what_is_no_weight(weight: object) -> None:
    (offer,) = kdbench_strategies()
    assert params_model(offer)(weights={"lite0": 0.5, "lite1": 0})
    with pytest.raises(ValueError, match="lite0"):
        params_model(offer)(weights={"lite0": weight})
