"""What the losses of a step share."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kdbench import Pairs
from kdbench_plugins.objectives.relational_kl import RelationalKL
from tests.support.toys import batch_of, random_pairs

BATCH = 5


def student() -> Pairs:
    return replace(random_pairs(BATCH, 4, learn=True), scale=3.0)


@pytest.mark.parametrize("scale", [None, 20.0])
def test_who_reads_first_without_gradients_takes_them_from_nobody(scale: float | None) -> None:
    """An objective may look at a loss, or at logits, before it decides how to weigh them."""
    term, teacher, batch = RelationalKL(scale=scale), random_pairs(BATCH, 3), batch_of(torch.arange(BATCH))

    def gradient(looks: bool) -> Tensor:
        own = student()
        if looks:
            with torch.no_grad():
                assert own.logits.shape == term.losses(own, teacher, None, batch)[:, None].expand(-1, BATCH).shape
        losses = term.losses(own, teacher, None, batch) + own.logits.diagonal()
        (found,) = torch.autograd.grad(losses.sum(), own.image)
        return found

    torch.testing.assert_close(gradient(looks=True), gradient(looks=False), rtol=0, atol=0)


def test_embeddings_without_gradients_give_logits_without_a_graph() -> None:
    assert not random_pairs(BATCH, 3).logits.requires_grad
