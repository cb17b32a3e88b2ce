"""`equal`."""

from __future__ import annotations

import pytest
import torch

from kdbench_plugins.strategies.equal import Equal, kdbench_strategies
from tests.support.toys import signal_of


@pytest.mark.parametrize("teachers", [2, 3, 7])
def test_every_teacher_has_the_same_weight_and_no_gradient_is_read(teachers: int) -> None:
    signal = signal_of(torch.randn(teachers, 6, dtype=torch.float64))
    weights = Equal().weigh(signal)
    assert weights.shape == (teachers,)
    assert weights.dtype == torch.float64
    assert weights.tolist() == [1 / teachers] * teachers
    assert not {"gradients", "gramian"} & set(vars(signal))


def test_offer() -> None:
    (offer,) = kdbench_strategies()
    assert (offer.name, offer.build) == ("equal", Equal)
