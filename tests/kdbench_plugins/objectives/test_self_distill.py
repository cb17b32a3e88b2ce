"""`self_distill` against loops, and what its two parts must satisfy."""

from __future__ import annotations

from math import exp, log
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdbench import Pairs
from kdbench.plugins.parameters import params_model
from kdbench_plugins.objectives.self_distill import SelfDistill, kdbench_objectives
from tests.support.toys import batch_of, random_pairs

BATCH = 6
STEP = batch_of(torch.tensor([4, 9, 4, 0, 4, 9]))
STUDENT = random_pairs(BATCH, 4)
TEACHER = random_pairs(BATCH, 7, seed=1)  # of another width


def heads(student_width: int = 4, teacher_width: int = 7) -> nn.ModuleList:
    torch.manual_seed(0)
    made = SelfDistill().head(student_width, teacher_width).double()
    assert isinstance(made, nn.ModuleList)
    return made


def identities(width: int) -> nn.ModuleList:
    made = heads(width, width)
    with torch.no_grad():
        for head in made:
            head.weight.copy_(torch.eye(width))  # type: ignore[operator]
    return made


def contrast(queries: list[list[float]], candidates: list[list[float]], sample: int, temperature: float) -> float:
    concepts = STEP.concepts.tolist()
    scores = [sum(a * b for a, b in zip(queries[sample], one, strict=True)) / temperature for one in candidates]
    whole = log(sum(map(exp, scores)))
    right = [score - whole for score, of in zip(scores, concepts, strict=True) if of == concepts[sample]]
    return -sum(right) / len(right)


@pytest.mark.parametrize(
    ("mix", "temperature", "scale"), [(0.9, 0.05, 1.0), (0.3, 0.5, 20.0), (0.0, 0.05, 1.0), (1.0, 0.05, 1.0)]
)
def test_losses_equal_the_loops(mix: float, temperature: float, scale: float) -> None:
    made = heads()
    found = SelfDistill(mix=mix, temperature=temperature, scale=scale).losses(STUDENT, TEACHER, made, STEP).detach()
    assert found.shape == (BATCH,)
    images, texts = STUDENT.image.tolist(), STUDENT.text.tolist()
    for sample in range(BATCH):
        task = (contrast(images, texts, sample, temperature) + contrast(texts, images, sample, temperature)) / 2
        distance = 0.0
        for head, own, aim in zip(made, (images, texts), (TEACHER.image, TEACHER.text), strict=True):
            rows = head.weight.tolist()  # type: ignore[operator]
            projected = [sum(w * x for w, x in zip(row, own[sample], strict=True)) for row in rows]
            distance += sum((x - y) ** 2 for x, y in zip(projected, aim[sample].tolist(), strict=True))
        expected = mix * task + (1 - mix) * scale * distance
        assert float(found[sample]) == pytest.approx(expected, rel=1e-9)


def test_the_parameters_are_those_of_the_paper() -> None:
    made = heads()
    given = SelfDistill(mix=0.9, temperature=0.05, scale=1.0).losses(STUDENT, TEACHER, made, STEP)
    assert torch.equal(SelfDistill().losses(STUDENT, TEACHER, made, STEP), given)


def test_gradients_are_right_in_the_student_and_in_its_heads() -> None:
    student = random_pairs(BATCH, 4, learn=True)

    def losses(image: Tensor, text: Tensor, first: Tensor, second: Tensor) -> Tensor:
        projections = [lambda x: x @ first.T, lambda x: x @ second.T]
        objective = SelfDistill(mix=0.5, temperature=0.3)
        return objective.losses(Pairs(image, text, 1.0), TEACHER, projections, STEP)  # type: ignore[arg-type]

    weights = [parameter.detach().clone().requires_grad_() for parameter in heads().parameters()]
    assert torch.autograd.gradcheck(losses, (student.image, student.text, *weights))


def test_of_a_student_that_is_its_teacher_the_contrast_remains() -> None:
    losses = SelfDistill(mix=0.0).losses(STUDENT, STUDENT, identities(4), STEP)
    torch.testing.assert_close(losses, torch.zeros_like(losses))
    whole = SelfDistill().losses(STUDENT, STUDENT, identities(4), STEP)
    torch.testing.assert_close(whole, 0.9 * SelfDistill(mix=1.0).losses(STUDENT, STUDENT, identities(4), STEP))


def test_the_least_contrast_is_the_entropy_of_the_positives() -> None:
    least = STEP.same.sum(dim=1).double().log()
    for seed in range(20):
        assert (SelfDistill(mix=1.0).losses(random_pairs(BATCH, 4, seed=seed), TEACHER, heads(), STEP) >= least).all()
    rows = torch.eye(BATCH).double()[STEP.concepts % BATCH]
    found = SelfDistill(mix=1.0, temperature=0.02).losses(Pairs(rows, rows, 1.0), TEACHER, heads(BATCH), STEP)
    torch.testing.assert_close(found, least)


def test_images_and_texts_are_treated_alike() -> None:
    made = heads()
    swapped = nn.ModuleList([made[1], made[0]])
    found = SelfDistill().losses(
        Pairs(STUDENT.text, STUDENT.image, 1.0), Pairs(TEACHER.text, TEACHER.image, 1.0), swapped, STEP
    )
    torch.testing.assert_close(found, SelfDistill().losses(STUDENT, TEACHER, made, STEP))


def test_permuted_pairs_have_permuted_losses() -> None:
    order = torch.tensor([3, 0, 4, 1, 5, 2])
    student = Pairs(STUDENT.image[order], STUDENT.text[order], 1.0)
    teacher = Pairs(TEACHER.image[order], TEACHER.text[order], 1.0)
    found = SelfDistill().losses(student, teacher, heads(), batch_of(STEP.concepts[order]))
    torch.testing.assert_close(found, SelfDistill().losses(STUDENT, TEACHER, heads(), STEP)[order])


def test_projections_are_compared_with_their_length() -> None:
    made = identities(4)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(3)
    losses = SelfDistill(mix=0.0).losses(STUDENT, STUDENT, made, STEP)
    torch.testing.assert_close(losses, torch.full((BATCH,), 2 * (3.0 - 1.0) ** 2, dtype=torch.float64))


@pytest.mark.parametrize("width", [8, 64, 512])
def test_distances_do_not_shrink_with_the_width(width: int) -> None:
    """Of unit vectors at right angles, say: 2 for each tower, which InfoNCE's ln B can be set against."""
    student, teacher = random_pairs(BATCH, width), random_pairs(BATCH, width, seed=1)
    losses = SelfDistill(mix=0.0).losses(student, teacher, identities(width), STEP)
    assert float(losses.detach().mean()) == pytest.approx(4.0, abs=1.0)


def test_the_scales_do_not_count() -> None:
    made = heads()
    found = SelfDistill().losses(Pairs(STUDENT.image, STUDENT.text, 99.0), Pairs(TEACHER.image, TEACHER.text, 99.0), made, STEP)
    assert torch.equal(found, SelfDistill().losses(STUDENT, TEACHER, made, STEP))


@pytest.mark.parametrize(("temperature", "scale"), [(1e-6, 1.0), (1e6, 1e6), (1e-3, 1e-6)])
def test_parameters_of_any_size_leave_losses_and_gradients_finite(temperature: float, scale: float) -> None:
    student = random_pairs(BATCH, 4, dtype=torch.float32, learn=True)
    teacher = random_pairs(BATCH, 7, dtype=torch.float32, seed=1)
    losses = SelfDistill(temperature=temperature, scale=scale).losses(student, teacher, heads().float(), STEP)
    assert losses.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(losses.sum(), (student.image, student.text)))


def test_heads_are_linear_maps_between_the_widths() -> None:
    assert [tuple(parameter.shape) for parameter in heads(4, 7).parameters()] == [(7, 4), (7, 4)]
    first, second = heads().parameters()
    assert not first.equal(second)


def test_a_suite_can_give_these_parameters() -> None:
    (offer,) = kdbench_objectives()
    assert params_model(offer)().model_dump() == {"mix": 0.9, "temperature": 0.05, "scale": 1.0}
    wrong: dict[str, list[Any]] = {"mix": [-0.1, 1.1], "temperature": [0.0, -1.0], "scale": [0.0, -1.0]}
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=name):
                params_model(offer)(**{name: value})
    assert (offer.name, offer.status) == ("self_distill", "reconstruction")
    assert list(offer.waives) == ["zero where teacher and student agree"]
