"""`interactive` against loops, and what a contrast with another model's embeddings must satisfy."""

from __future__ import annotations

from math import exp, log, sqrt

import pytest
import torch
from torch import Tensor, nn

from kdbench import Pairs
from kdbench.plugins.parameters import params_model
from kdbench_plugins.objectives.interactive import Interactive, kdbench_objectives
from tests.support.toys import batch_of, random_pairs

BATCH = 6
STEP = batch_of(torch.tensor([4, 9, 4, 0, 4, 9]))  # three, two and one pair of a concept
APART = batch_of(torch.arange(BATCH))
STUDENT = random_pairs(BATCH, 4, scale=6.0)
TEACHER = random_pairs(BATCH, 7, seed=1)  # of another width


def heads(student_width: int = 4, teacher_width: int = 7) -> nn.ModuleList:
    torch.manual_seed(0)
    made = Interactive().head(student_width, teacher_width).double()
    assert isinstance(made, nn.ModuleList)
    return made


def identities(width: int) -> nn.ModuleList:
    made = heads(width, width)
    with torch.no_grad():
        for head in made:
            head.weight.copy_(torch.eye(width))  # type: ignore[operator]
    return made


def basis(scale: float) -> Pairs:
    """Every pair agrees, and no two pairs have anything in common."""
    return Pairs(torch.eye(BATCH).double(), torch.eye(BATCH).double(), scale)


def test_losses_equal_the_loops() -> None:
    made = heads()
    found = Interactive().losses(STUDENT, TEACHER, made, STEP).detach()
    assert found.shape == (BATCH,)
    concepts = STEP.concepts.tolist()
    for sample in range(BATCH):
        total = 0.0
        for head, queries, candidates in zip(made, (STUDENT.image, STUDENT.text), (TEACHER.text, TEACHER.image), strict=True):
            rows = head.weight.tolist()  # type: ignore[operator]
            query = [sum(w * x for w, x in zip(row, queries[sample].tolist(), strict=True)) for row in rows]
            norm = sqrt(sum(x * x for x in query))
            scores = [6.0 * sum(x / norm * y for x, y in zip(query, one, strict=True)) for one in candidates.tolist()]
            whole = log(sum(map(exp, scores)))
            right = [score - whole for score, of in zip(scores, concepts, strict=True) if of == concepts[sample]]
            total -= sum(right) / len(right)
        assert float(found[sample]) == pytest.approx(total / 2, rel=1e-9)


def test_gradients_are_right_in_the_student_its_scale_and_its_heads() -> None:
    student = random_pairs(BATCH, 4, learn=True)
    scale = torch.tensor(6.0, dtype=torch.float64, requires_grad=True)

    def losses(image: Tensor, text: Tensor, scale: Tensor, first: Tensor, second: Tensor) -> Tensor:
        projections = [lambda x: x @ first.T, lambda x: x @ second.T]
        return Interactive().losses(Pairs(image, text, scale), TEACHER, projections, STEP)  # type: ignore[arg-type]

    weights = [parameter.detach().clone().requires_grad_() for parameter in heads().parameters()]
    assert torch.autograd.gradcheck(losses, (student.image, student.text, scale, *weights))


@pytest.mark.parametrize("scale", [1.0, 5.0, 20.0])
def test_of_pairs_that_agree_the_others_remain(scale: float) -> None:
    """The loss is not zero where teacher and student agree: it is as low as the scale lets it be."""
    found = Interactive().losses(basis(scale), basis(1.0), identities(BATCH), APART)
    expected = log(1 + (BATCH - 1) * exp(-scale))
    torch.testing.assert_close(found, torch.full((BATCH,), expected, dtype=torch.float64))
    assert (Interactive().losses(basis(scale), random_pairs(BATCH, BATCH, seed=3), identities(BATCH), APART) > expected).all()


def test_losses_are_not_below_the_entropy_of_the_positives() -> None:
    least = STEP.same.sum(dim=1).double().log()
    for seed in range(20):
        found = Interactive().losses(random_pairs(BATCH, 4, scale=30.0, seed=seed), TEACHER, heads(), STEP)
        assert (found >= least).all()
    alike = Pairs(basis(1.0).image[STEP.concepts % BATCH], basis(1.0).text[STEP.concepts % BATCH], 50.0)
    torch.testing.assert_close(Interactive().losses(alike, alike, identities(BATCH), STEP), least)


def test_images_and_texts_are_treated_alike() -> None:
    made = heads()
    swapped = nn.ModuleList([made[1], made[0]])
    student = Pairs(STUDENT.text, STUDENT.image, STUDENT.scale)
    found = Interactive().losses(student, Pairs(TEACHER.text, TEACHER.image, 1.0), swapped, STEP)
    torch.testing.assert_close(found, Interactive().losses(STUDENT, TEACHER, made, STEP))


def test_permuted_pairs_have_permuted_losses() -> None:
    order = torch.tensor([3, 0, 4, 1, 5, 2])
    student = Pairs(STUDENT.image[order], STUDENT.text[order], STUDENT.scale)
    teacher = Pairs(TEACHER.image[order], TEACHER.text[order], TEACHER.scale)
    found = Interactive().losses(student, teacher, heads(), batch_of(STEP.concepts[order]))
    torch.testing.assert_close(found, Interactive().losses(STUDENT, TEACHER, heads(), STEP)[order])


def test_the_student_s_scale_counts_and_the_teacher_s_does_not() -> None:
    before = Interactive().losses(STUDENT, TEACHER, heads(), STEP)
    other = Pairs(TEACHER.image, TEACHER.text, 99.0)
    torch.testing.assert_close(Interactive().losses(STUDENT, other, heads(), STEP), before)
    flat = Interactive().losses(Pairs(STUDENT.image, STUDENT.text, 0.0), TEACHER, heads(), STEP)
    torch.testing.assert_close(flat, torch.full_like(flat, log(BATCH)))


@pytest.mark.parametrize("scale", [1e-8, 1e4, 1e8])
def test_scales_of_any_size_leave_losses_and_gradients_finite(scale: float) -> None:
    student = random_pairs(BATCH, 4, scale=scale, dtype=torch.float32, learn=True)
    teacher = random_pairs(BATCH, 7, seed=1, dtype=torch.float32)
    found = Interactive().losses(student, teacher, heads().float(), STEP)
    assert found.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(found.sum(), (student.image, student.text)))


def test_the_length_of_projections_does_not_matter() -> None:
    made = heads()
    before = Interactive().losses(STUDENT, TEACHER, made, STEP)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(17)
    torch.testing.assert_close(Interactive().losses(STUDENT, TEACHER, made, STEP), before)


def test_heads_are_linear_maps_between_the_widths() -> None:
    assert [tuple(parameter.shape) for parameter in heads(4, 7).parameters()] == [(7, 4), (7, 4)]
    first, second = heads().parameters()
    assert not first.equal(second)


def test_offer() -> None:
    (offer,) = kdbench_objectives()
    assert (offer.name, offer.status) == ("interactive", "published")
    assert params_model(offer)().model_dump() == {"head": "linear"}
    assert list(offer.waives) == ["zero where teacher and student agree"]
