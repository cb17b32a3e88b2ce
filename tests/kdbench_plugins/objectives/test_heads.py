"""What stands between a student's and a teacher's embeddings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kdbench import KdbenchError
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.heads import Head, heads, linear_heads
from kdbench_plugins.objectives.interactive import Interactive
from tests.support.toys import batch_of, random_pairs


@pytest.mark.parametrize("kind", ["linear", "two_layer"])
def test_a_head_for_each_modality(kind: Head) -> None:
    images, texts = heads(kind, 4, 7)
    rows = torch.randn(5, 4)
    assert images(rows).shape == texts(rows).shape == (5, 7)
    assert not torch.equal(images(rows), texts(rows))


def test_linear_heads_are_those_there_were() -> None:
    torch.manual_seed(0)
    expected = [nn.Linear(4, 7, bias=False).weight for _ in range(2)]
    torch.manual_seed(0)
    for head, weight in zip(linear_heads(4, 7), expected, strict=True):
        assert torch.equal(head.weight, weight)  # type: ignore[arg-type]


def test_two_layers_are_no_linear_map() -> None:
    head, _ = heads("two_layer", 4, 7)
    one, other = torch.randn(2, 4)
    assert not torch.allclose(head(one + other) + head(torch.zeros(4)), head(one) + head(other), atol=1e-3)


def test_without_heads_widths_are_equal() -> None:
    rows = torch.randn(5, 4)
    for head in heads("none", 4, 4):
        assert head(rows) is rows
    with pytest.raises(KdbenchError, match="found none, for a student of width 4 and a teacher of width 7; expected linear"):
        heads("none", 4, 7)


@pytest.mark.parametrize("objective", [Feature, Interactive])
@pytest.mark.parametrize("kind", ["linear", "two_layer", "none"])
def test_objectives_take_each_kind(objective: type[Feature | Interactive], kind: Head) -> None:
    one = objective(head=kind)
    student, teacher = random_pairs(5, 4, dtype=torch.float32, learn=True), random_pairs(5, 4, seed=1, dtype=torch.float32)
    made = one.head(4, 4)
    losses = one.losses(student, teacher, made, batch_of(torch.arange(5)))  # type: ignore[arg-type]
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert losses.shape == (5,)
    assert all(parameter.grad is not None for parameter in made.parameters())
    assert bool(list(made.parameters())) == (kind != "none")
