"""`equal_norm` by its algebra."""

from __future__ import annotations

import torch

from kdbench_plugins.strategies.equal_norm import EqualNorm
from kdbench_plugins.strategies.torchjd_weightings import imtl_g
from tests.support.toys import signal_of


def test_weighted_gradients_have_equal_lengths() -> None:
    gradients = torch.randn(4, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gradients *= torch.tensor([1.0, 1e-3, 7.0, 1e4], dtype=torch.float64)[:, None]
    weights = EqualNorm().weigh(signal_of(gradients))
    lengths = (weights[:, None] * gradients).norm(dim=1)
    torch.testing.assert_close(lengths, lengths[:1].expand(4))
    torch.testing.assert_close(weights.sum(), torch.ones((), dtype=torch.float64))


def test_teachers_without_a_gradient_share_the_weight() -> None:
    gradients = torch.eye(4, dtype=torch.float64)
    gradients[1] = gradients[3] = 0
    assert EqualNorm().weigh(signal_of(gradients)).tolist() == [0, 0.5, 0, 0.5]


def test_two_teachers_have_the_weights_of_imtl_g() -> None:
    gradients = torch.tensor([[1.0, 2.0], [-0.5, 6.0]], dtype=torch.float64)
    torch.testing.assert_close(EqualNorm().weigh(signal_of(gradients)), imtl_g().weigh(signal_of(gradients)))
