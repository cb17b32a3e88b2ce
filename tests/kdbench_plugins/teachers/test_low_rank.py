"""Low-rank factors of linear maps, against the maps written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kdbench import KdbenchError
from kdbench_plugins.teachers.low_rank import Encoding, LowRank, adapter_loss, linear_weights
from tests.support.toys import TwoTowers, batch_of, random_pairs


def module() -> TwoTowers:
    torch.manual_seed(0)
    return TwoTowers(4)


def test_no_change_at_first_and_then_that_of_the_factors() -> None:
    towers = module()
    factors, encoding = LowRank(towers, 2, 0.5), Encoding(towers)
    images = torch.randint(0, 256, (3, 6, 6, 3), dtype=torch.uint8)
    assert torch.equal(encoding.with_weights(factors.changed(towers), "encode_image", images), towers.encode_image(images))
    with torch.no_grad():
        for factor in factors.up:
            factor.normal_()
    found = encoding.with_weights(factors.changed(towers), "encode_image", images)
    place = factors.names.index("image_tower.weight")
    with torch.no_grad():
        towers.image_tower.weight += 0.5 * factors.up[place] @ factors.down[place]
    torch.testing.assert_close(found, towers.encode_image(images))


def test_linear_maps_and_attention_are_changed_and_nothing_else() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16)
    expected = ["self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight"]
    assert sorted(linear_weights(layer)) == sorted(expected)
    with pytest.raises(KdbenchError, match="found no linear map in Conv2d"):
        LowRank(nn.Conv2d(3, 4, 3), 2, 1.0)


def slow_loss(own: Tensor, student: Tensor, gamma: float) -> Tensor:
    total = torch.zeros((), dtype=own.dtype)
    for p, q in ((own.softmax(1), student.softmax(1)), (own.T.softmax(1), student.T.softmax(1))):
        for i in range(len(p)):
            divergence = sum((q[i, j] * (q[i, j].log() - p[i, j].log()) for j in range(len(p))), torch.zeros(()))
            total = total - p[i, i].log() + gamma * divergence
    return total / (2 * len(own))


def test_the_loss_against_loops_and_its_gradient_leaves_the_student() -> None:
    own, student = random_pairs(5, 4, learn=True), random_pairs(5, 3, seed=1, learn=True)
    loss = adapter_loss(own, student, batch_of(torch.arange(5)), 0.7)
    torch.testing.assert_close(loss, slow_loss(own.logits, student.logits, 0.7))
    loss.backward()  # type: ignore[no-untyped-call]
    assert own.image.grad is not None
    assert student.image.grad is None
