"""`feature` against loops, and what a distance of unit vectors must satisfy."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import nn

from kdbench import Pairs
from kdbench_plugins.objectives.feature import Feature, kdbench_objectives
from tests.support.toys import batch_of, random_pairs

BATCH = 5
STEP = batch_of(torch.arange(BATCH))
STUDENT = random_pairs(BATCH, 4)
TEACHER = random_pairs(BATCH, 7, seed=1)  # of another width


def heads(student_width: int = 4, teacher_width: int = 7) -> nn.ModuleList:
    torch.manual_seed(0)
    made = Feature().head(student_width, teacher_width).double()
    assert isinstance(made, nn.ModuleList)
    return made


def identities(width: int) -> nn.ModuleList:
    made = heads(width, width)
    with torch.no_grad():
        for head in made:
            head.weight.copy_(torch.eye(width))  # type: ignore[operator]
    return made


def test_losses_equal_the_loops() -> None:
    made = heads()
    found = Feature().losses(STUDENT, TEACHER, made, STEP).detach()
    assert found.shape == (BATCH,)
    for sample in range(BATCH):
        total = 0.0
        for head, own, aim in zip(made, (STUDENT.image, STUDENT.text), (TEACHER.image, TEACHER.text), strict=True):
            rows = head.weight.tolist()  # type: ignore[operator]
            projected = [sum(w * x for w, x in zip(row, own[sample].tolist(), strict=True)) for row in rows]
            norm = sqrt(sum(x * x for x in projected))
            total += sum((x / norm - y) ** 2 for x, y in zip(projected, aim[sample].tolist(), strict=True))
        assert float(found[sample]) == pytest.approx(total, rel=1e-9)


def test_gradients_are_right_in_the_student_and_in_its_heads() -> None:
    made = heads()
    student = random_pairs(BATCH, 4, learn=True)

    def losses(*values: torch.Tensor) -> torch.Tensor:
        image, text, first, second = values
        projections = [lambda x, w=first: x @ w.T, lambda x, w=second: x @ w.T]
        return Feature().losses(Pairs(image, text, 1.0), TEACHER, projections, STEP)  # type: ignore[arg-type]

    weights = [head.weight.detach().clone().requires_grad_() for head in made]  # type: ignore[operator]
    assert torch.autograd.gradcheck(losses, (student.image, student.text, *weights))


def test_a_student_that_is_its_teacher_has_no_loss() -> None:
    losses = Feature().losses(STUDENT, STUDENT, identities(4), STEP)
    torch.testing.assert_close(losses, torch.zeros_like(losses))
    assert (Feature().losses(STUDENT, random_pairs(BATCH, 4, seed=3), identities(4), STEP) > 0.1).all()


def test_images_and_texts_are_treated_alike() -> None:
    made = heads()
    swapped = nn.ModuleList([made[1], made[0]])
    found = Feature().losses(Pairs(STUDENT.text, STUDENT.image, 1.0), Pairs(TEACHER.text, TEACHER.image, 1.0), swapped, STEP)
    torch.testing.assert_close(found, Feature().losses(STUDENT, TEACHER, made, STEP))


def test_samples_do_not_meet() -> None:
    made = heads()
    whole = Feature().losses(STUDENT, TEACHER, made, STEP)
    for sample in range(BATCH):
        rows = slice(sample, sample + 1)
        alone = Feature().losses(
            Pairs(STUDENT.image[rows], STUDENT.text[rows], 1.0), Pairs(TEACHER.image[rows], TEACHER.text[rows], 1.0), made, STEP
        )
        torch.testing.assert_close(alone, whole[rows])


@pytest.mark.parametrize("widths", [(2, 2), (4, 300), (300, 4)])
def test_losses_lie_between_0_and_8_whatever_the_widths(widths: tuple[int, int]) -> None:
    made = heads(*widths)
    losses = Feature().losses(random_pairs(64, widths[0]), random_pairs(64, widths[1], seed=1), made, STEP)
    assert losses.min() >= 0
    assert losses.max() <= 8
    opposite = Pairs(-STUDENT.image, -STUDENT.text, 1.0)
    torch.testing.assert_close(
        Feature().losses(STUDENT, opposite, identities(4), STEP), torch.full((BATCH,), 8.0, dtype=torch.float64)
    )


def test_the_length_of_projections_does_not_matter() -> None:
    made = heads()
    before = Feature().losses(STUDENT, TEACHER, made, STEP)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(17)
    torch.testing.assert_close(Feature().losses(STUDENT, TEACHER, made, STEP), before)


def test_heads_are_linear_maps_between_the_widths() -> None:
    assert [tuple(parameter.shape) for parameter in heads(4, 7).parameters()] == [(7, 4), (7, 4)]
    first, second = heads().parameters()
    assert not first.equal(second)


def test_the_scales_do_not_count() -> None:
    made = heads()
    scaled = Pairs(STUDENT.image, STUDENT.text, 99.0)
    torch.testing.assert_close(Feature().losses(scaled, TEACHER, made, STEP), Feature().losses(STUDENT, TEACHER, made, STEP))


def test_offer() -> None:
    (offer,) = kdbench_objectives()
    assert (offer.name, offer.build, offer.status) == ("feature", Feature, "published")
    assert "‖P v − v_t‖²" in offer.formula
    assert "CLIP-KD" in offer.source
