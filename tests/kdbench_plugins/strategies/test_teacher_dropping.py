"""`teacher_dropping` against UNIC's coefficients: the largest loss is kept, all kept pairs count the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor

from kdbench import Signal
from kdbench_plugins.strategies.teacher_dropping import TeacherDropping


def seen(losses: Tensor, seed: int = 0) -> Signal:
    return cast(Signal, SimpleNamespace(losses=losses, generator=torch.Generator().manual_seed(seed)))


def drawn(teachers: int, batch: int) -> Tensor:
    return torch.rand(teachers, batch, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_loss_is_the_mean_over_kept_pairs() -> None:
    """The training averages Σ_t w ℓ over the batch; UNIC sums c ℓ / Σ c over everything."""
    losses = drawn(3, 50)
    weights = TeacherDropping().weigh(seen(losses))
    kept = weights > 0
    assert 50 < kept.sum() < 150
    torch.testing.assert_close((weights * losses).sum(dim=0).mean(), losses[kept].mean())


def test_the_largest_loss_of_each_sample_is_kept() -> None:
    losses = drawn(4, 200)
    for seed in range(5):
        assert (TeacherDropping(drop=0.9).weigh(seen(losses, seed)).gather(0, losses.argmax(dim=0)[None]) > 0).all()


@pytest.mark.parametrize("drop", [0.2, 0.5, 0.8])
def test_others_are_dropped_at_the_given_rate(drop: float) -> None:
    losses = drawn(5, 5000)
    kept = TeacherDropping(drop=drop).weigh(seen(losses)) > 0
    others = (float(kept.sum()) - 5000) / (4 * 5000)  # standard error at most 0.004
    assert others == pytest.approx(1 - drop, abs=0.02)


def test_the_ends_are_equal_weights_and_the_worst_teacher_alone() -> None:
    losses = drawn(3, 20)
    all_kept, one_kept = (TeacherDropping(drop=drop).weigh(seen(losses)) for drop in (0.0, 1.0))
    torch.testing.assert_close(all_kept, torch.full_like(losses, 1 / 3))
    assert one_kept.equal(torch.nn.functional.one_hot(losses.argmax(dim=0), 3).T.to(losses))


def test_it_is_declared_raw() -> None:
    assert TeacherDropping.raw
