"""The closed form against autograd, and how often the student's side is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from kdbench import Pairs
from kdbench_plugins.objectives.relational_kl import RelationalKL
from tests.support.toys import batch_of, random_pairs

BATCH, WIDTH = 6, 5
STEP = batch_of(torch.arange(BATCH))
TEACHERS = [random_pairs(BATCH, 4 + seed, scale=3.0, seed=seed) for seed in range(1, 4)]


def student(learned: bool = True) -> Pairs:
    pairs = random_pairs(BATCH, WIDTH, learn=True)
    return Pairs(pairs.image, pairs.text, torch.tensor(6.0, dtype=torch.float64, requires_grad=learned))


def slow(objective: RelationalKL, own: Pairs, teacher: Pairs) -> Tensor:
    return objective._divergences(objective._logits(own), objective._logits(teacher))


@pytest.mark.parametrize("options", [{}, {"temperature": 3.0}, {"scale": 20.0}, {"temperature": 0.2, "scale": 2.0}])
@pytest.mark.parametrize("weights", ["equal", "by sample"])
def test_losses_and_gradients_are_those_of_autograd(options: dict[str, Any], weights: str) -> None:
    objective, shared = RelationalKL(**options), student()
    given = torch.full((BATCH,), 0.7) if weights == "equal" else torch.linspace(-1, 2, BATCH)
    for teacher in TEACHERS:
        other = student()
        ends = [[*own.tensors, *own.learned] for own in (shared, other)]
        found, expected = objective.losses(shared, teacher, None, STEP), slow(objective, other, teacher)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        one, two = (
            torch.autograd.grad(losses @ given.double(), leaves, allow_unused=True, retain_graph=True)
            for losses, leaves in zip((found, expected), ends, strict=True)
        )
        for mine, theirs in zip(one, two, strict=True):
            if theirs is None:  # a scale that is not read
                assert mine is None or not mine.any()
            else:
                torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_a_frozen_tower_and_a_frozen_scale_get_no_gradient() -> None:
    pairs = student(learned=False)
    frozen = Pairs(pairs.image, pairs.text.detach(), pairs.scale)
    RelationalKL().losses(frozen, TEACHERS[0], None, STEP).sum().backward()  # type: ignore[no-untyped-call]
    assert frozen.image.grad is not None
    assert frozen.text.grad is None
    assert pairs.scale.grad is None  # type: ignore[union-attr]


@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"scale": 20.0}])
def test_products_of_embeddings_are_computed_once(options: dict[str, Any]) -> None:
    """The student's for all teachers, and each teacher's, whatever else reads their logits."""
    own, teachers = student(), [replace(teacher) for teacher in TEACHERS]
    with FlopCounterMode(display=False) as counter:
        for objective in (RelationalKL(**options), RelationalKL(**options, temperature=2.0)):
            for teacher in teachers:
                objective.losses(own, teacher, None, STEP)
    widths = [WIDTH, *(teacher.image.shape[1] for teacher in teachers)]
    once = sum(2 * BATCH**2 * width for width in widths)
    assert counter.get_total_flops() == (once if "scale" not in options else 2 * once)


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.2, 0.3]])
def test_a_step_goes_back_through_the_students_product_once_for_fixed_weights(weights: list[float]) -> None:
    own = student()
    losses = [RelationalKL().losses(own, teacher, None, STEP).mean() for teacher in TEACHERS[: len(weights)]]
    with FlopCounterMode(display=False) as counter:
        sum(weight * loss for weight, loss in zip(weights, losses, strict=True)).backward()  # type: ignore[union-attr]
    assert counter.get_total_flops() == 2 * 2 * BATCH**2 * WIDTH  # one for images, one for texts


def test_two_terms_of_another_temperature_share_nothing() -> None:
    own, terms = student(), [RelationalKL(temperature=value) for value in (1.0, 2.0)]
    for term in terms * 2:
        torch.testing.assert_close(term.losses(own, TEACHERS[0], None, STEP), slow(term, own, TEACHERS[0]))
