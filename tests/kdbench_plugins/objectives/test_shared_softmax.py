"""The closed form against autograd, and how often the student's side is computed."""

from __future__ import annotations

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


def products(objective: RelationalKL) -> int:
    """Matrix products of [B, d] and [d, B], forward."""
    own = student()
    with FlopCounterMode(display=False) as counter:
        for teacher in TEACHERS:
            objective.losses(own, teacher, None, STEP)
    of_teachers = sum(2 * BATCH**2 * teacher.image.shape[1] for teacher in TEACHERS)
    rest, of_student = counter.get_total_flops() - of_teachers, 2 * BATCH**2 * WIDTH
    assert rest % of_student == 0
    return int(rest // of_student)


def test_the_students_side_is_computed_once_for_all_teachers() -> None:
    assert products(RelationalKL()) == 1
    assert products(RelationalKL(standardize=True)) == len(TEACHERS)


def test_two_terms_of_another_temperature_share_nothing() -> None:
    own, terms = student(), [RelationalKL(temperature=value) for value in (1.0, 2.0)]
    for term in terms * 2:
        torch.testing.assert_close(term.losses(own, TEACHERS[0], None, STEP), slow(term, own, TEACHERS[0]))
