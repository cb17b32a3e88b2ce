"""Merging models that were trained from the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kdbench_plugins.students.low_rank import LowRank
from kdbench_plugins.students.merging import SCALES, merged

METHODS = tuple(SCALES)


def state(*values: float, scale: float = 1.0) -> dict[str, Tensor]:
    return {"weight": torch.tensor(values[:4]).view(2, 2), "bias": torch.tensor(values[4:]), "scale": torch.tensor(scale)}


START = state(0.0, 1.0, 2.0, 3.0, 0.0)
TRAINED = ["weight", "bias"]


def vector(found: dict[str, Tensor]) -> list[float]:
    """What was added to the start."""
    return [round(float(x), 5) for name in TRAINED for x in (found[name] - START[name]).flatten()]


def end(*moves: float, scale: float = 1.0) -> dict[str, Tensor]:
    return state(*(float(x) + move for x, move in zip([0, 1, 2, 3, 0], moves, strict=True)), scale=scale)


def test_mean_and_task_arithmetic() -> None:
    ends = [end(1, 2, 0, 0, 4), end(3, -2, 0, 1, 0)]
    assert vector(dict(merged(START, ends, TRAINED, "mean", 1.0, 0.2))) == [2, 0, 0, 0.5, 2]
    assert vector(dict(merged(START, ends, TRAINED, "task_arithmetic", 0.3, 0.2))) == [1.2, 0, 0, 0.3, 1.2]


def test_ties_by_hand() -> None:
    """Trimmed to three of five entries, signs elected by sums, means of those that agree."""
    ends = [end(5, 4, -3, 1, 0), end(-2, 4, 1, 0, 6), end(-1, 2, -9, 0, 0)]
    # Kept: [5, 4, -3, 0, 0], [-2, 4, 0, 0, 6], [-1, 2, -9, 0, 0]; sums: 2, 10, -12, 0, 6
    assert vector(dict(merged(START, ends, TRAINED, "ties", 1.0, 0.6))) == [5, 3.33333, -6, 0, 6]
    assert vector(dict(merged(START, ends, TRAINED, "ties", 0.5, 0.6))) == [2.5, 1.66667, -3, 0, 3]


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_students_says_nothing(method: str) -> None:
    ends = [end(1, 2, -3, 4, 5), end(5, -4, 3, -2, 1), end(2, 2, 2, -1, -1)]
    found = [merged(START, order, TRAINED, method, 1.0, 0.5) for order in (ends, ends[::-1])]
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name])


@pytest.mark.parametrize(("method", "scale"), [("mean", 1.0), ("task_arithmetic", 0.5), ("ties", 1.0)])
def test_equal_students_are_kept(method: str, scale: float) -> None:
    one = end(1, -2, 3, 4, -5)
    assert vector(dict(merged(START, [one, one], TRAINED, method, scale, 1.0))) == [1, -2, 3, 4, -5]


def test_what_was_not_trained_is_kept_or_averaged() -> None:
    count = {"count": torch.tensor(3)}
    found = merged(
        START | count, [end(1, 0, 0, 0, 0, scale=2.0) | count, end(0, 0, 0, 0, 0, scale=4.0) | count], TRAINED, "mean", 1, 1
    )
    assert (float(found["scale"]), int(found["count"])) == (3.0, 3)


@pytest.mark.parametrize(("method", "scale"), [("mean", 1.0), ("task_arithmetic", 0.3)])
def test_merged_linear_additions_are_merged_weights(method: str, scale: float) -> None:
    weight, layers = torch.randn(4, 6), []
    for seed in range(3):
        torch.manual_seed(0)
        layer = LowRank(weight, 2, 0.5, linear=True)
        torch.manual_seed(seed)
        torch.nn.init.normal_(layer.B)
        layers.append(layer)
    start = {"B": torch.zeros(4, 2)}
    found = LowRank(weight, 2, 0.5, linear=True)
    found.A, found.B = (
        layers[0].A,
        torch.nn.Parameter(merged(start, [{"B": one.B} for one in layers], ["B"], method, scale, 1)["B"]),
    )
    dense = merged({"W": weight}, [{"W": one(weight)} for one in layers], ["W"], method, scale, 1)
    torch.testing.assert_close(found(weight), dense["W"])
