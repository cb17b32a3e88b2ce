"""Inner products of gradients that nearly agree."""

from __future__ import annotations

import pytest
import torch

from kdbench.training import inner_products as module
from kdbench.training.inner_products import inner_products

SHAPES = [(), (7,), (3, 50), (2, 3, 4)]


@pytest.mark.parametrize("block", [1, 8, 1 << 14])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_they_are_those_of_the_whole_gradients(count: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    generator = torch.Generator().manual_seed(0)
    gradients = [[torch.randn(shape, generator=generator) for shape in SHAPES] for _ in range(count)]
    whole = torch.stack([torch.cat([part.flatten() for part in parts]) for parts in gradients]).double()
    torch.testing.assert_close(inner_products(gradients), whole @ whole.T, rtol=1e-12, atol=1e-12)


def test_what_nearly_agrees_keeps_its_difference() -> None:
    """‖a − b‖² from the Gramian of a million numbers; float32 sums would be off by more than it."""
    one = torch.randn(1_000_000, generator=torch.Generator().manual_seed(1))
    other = one + 1e-4 * torch.randn(1_000_000, generator=torch.Generator().manual_seed(2))
    found = inner_products([[one], [other]])
    gap = float(found[0, 0] - 2 * found[0, 1] + found[1, 1])
    assert gap == pytest.approx(float((one.double() - other.double()).square().sum()), rel=1e-4)
    assert found.dtype == torch.float64


def test_they_keep_no_graph() -> None:
    found = inner_products([[torch.ones(3, requires_grad=True)], [torch.ones(3, requires_grad=True)]])
    assert not found.requires_grad
