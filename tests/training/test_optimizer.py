"""The learning rate's schedule, and an optimizer's state through a file."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from kdbench.training.optimizer import restore, schedule


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.1), (12, 0.25), (7, 0.0), (1, 0.0), (1, 1.0), (10, 1.0), (3, 0.1)])
def test_schedule_rises_in_a_line_and_falls_as_a_cosine(steps: int, warmup: float) -> None:
    shares = [schedule(step, steps, warmup) for step in range(steps)]
    warm = round(warmup * steps)
    assert all(0 < share <= 1 for share in shares)
    assert shares[:warm] == pytest.approx([(step + 1) / warm for step in range(warm)])
    tail = shares[warm:]
    assert tail == pytest.approx([math.cos(math.pi / 2 * place / len(tail)) ** 2 for place in range(len(tail))])
    assert tail == sorted(tail, reverse=True)
    assert max(shares) == pytest.approx(1.0)


def test_moments_come_back_in_the_order_of_their_parameters() -> None:
    """Fused AdamW walks through a parameter and its moments side by side in memory, whatever their strides say."""
    module = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    module(torch.rand(2, 3, 6, 6)).square().sum().backward()
    optimizer.step()
    saved = optimizer.state_dict()
    for moments in saved["state"].values():  # as a file brings them back
        for name, value in moments.items():
            moments[name] = value.contiguous()
    expected = saved["state"][0]["exp_avg"].clone()
    restore(optimizer, saved)
    for name in ("exp_avg", "exp_avg_sq"):
        assert optimizer.state[module.weight][name].stride() == module.weight.stride() != expected.stride()
    assert optimizer.state[module.weight]["exp_avg"].equal(expected)
