"""The moving average of weights: its recursion, and that it only stands in for the weights."""

from __future__ import annotations

import torch
from torch import nn

from kdbench.training.average import Average
from tests.support.toys import bits


def module_with(norm: bool = True) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), *([nn.BatchNorm1d(2)] if norm else []))


def drifted(average: Average, steps: int) -> list[dict[str, torch.Tensor]]:
    """Moves the module `steps` times, and returns all states it had."""
    seen = []
    for step in range(steps):
        with torch.no_grad():
            for parameter in average.module.parameters():
                parameter.add_(torch.randn_like(parameter))
            average.module(torch.randn(4, 3) + step)
        average.update()
        seen.append({name: value.clone() for name, value in average.module.state_dict().items()})
    return seen


def test_the_average_follows_its_recursion_and_counts_as_the_module_does() -> None:
    module = module_with()
    first = {name: value.clone() for name, value in module.state_dict().items()}
    average = Average(module, 0.5)
    states = drifted(average, 12)
    expected = first
    for number, state in enumerate(states, start=1):
        decay = min(0.5, (1 + number) / (10 + number))
        expected = {
            name: decay * expected[name] + (1 - decay) * value if value.is_floating_point() else value
            for name, value in state.items()
        }
    for name, value in expected.items():
        assert torch.allclose(average.values[name], value, atol=1e-6), name
    assert int(average.values["1.num_batches_tracked"]) == 12


def test_the_weights_come_back_also_after_an_error() -> None:
    average = Average(module_with(), 0.9)
    drifted(average, 3)
    before = bits(average.module.state_dict())
    try:
        with average.in_place():
            assert bits(average.module.state_dict()) == bits(average.values)
            raise InterruptedError
    except InterruptedError:
        pass
    assert bits(average.module.state_dict()) == before


def test_a_saved_average_goes_on_to_the_last_bit() -> None:
    average = Average(module_with(norm=False), 0.9)
    drifted(average, 3)
    other = Average(average.module, 0.9)
    other.load_state_dict(dict(average.state_dict()))
    drifted(average, 1)
    other.update()
    assert bits(other.values) == bits(average.values)
