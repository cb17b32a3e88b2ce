"""`relational_kl` against loops, and what KL must satisfy."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import Tensor

from kdbench import Pairs
from kdbench.plugins.parameters import params_model
from kdbench_plugins.objectives.relational_kl import RelationalKL, kdbench_objectives
from tests.support.toys import batch_of, random_pairs

BATCH = 5
STEP = batch_of(torch.arange(BATCH))
STUDENT = random_pairs(BATCH, 4, scale=6.0)
TEACHER = random_pairs(BATCH, 7, scale=3.0, seed=1)  # of another width


def distribution(queries: Tensor, candidates: Tensor, scale: float, row: int) -> list[float]:
    scores = [scale * sum(a * b for a, b in zip(queries[row].tolist(), one.tolist(), strict=True)) for one in candidates]
    total = sum(map(exp, scores))
    return [exp(score) / total for score in scores]


def slow(student: Pairs, teacher: Pairs, temperature: float) -> list[float]:
    result = []
    for sample in range(BATCH):
        both = 0.0
        for own, aim in (
            ((student.image, student.text), (teacher.image, teacher.text)),
            ((student.text, student.image), (teacher.text, teacher.image)),
        ):
            q = distribution(*own, float(student.scale) / temperature, sample)
            p = distribution(*aim, float(teacher.scale) / temperature, sample)
            both += sum(pj * log(pj / qj) for pj, qj in zip(p, q, strict=True))
        result.append(both / 2 * temperature**2)
    return result


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_losses_equal_the_loops(temperature: float) -> None:
    found = RelationalKL(temperature=temperature).losses(STUDENT, TEACHER, None, STEP)
    assert found.shape == (BATCH,)
    assert found.tolist() == pytest.approx(slow(STUDENT, TEACHER, temperature), rel=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_gradients_are_right(temperature: float) -> None:
    objective = RelationalKL(temperature=temperature)
    student = random_pairs(BATCH, 4, learn=True)
    scale = torch.tensor(6.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda v, u, s: objective.losses(Pairs(v, u, s), TEACHER, None, STEP), (student.image, student.text, scale)
    )


def test_a_student_that_is_its_teacher_has_no_loss_and_no_gradient() -> None:
    student = random_pairs(BATCH, 4, scale=6.0, learn=True)
    losses = RelationalKL(temperature=2.0).losses(student, random_pairs(BATCH, 4, scale=6.0), None, STEP)
    torch.testing.assert_close(losses, torch.zeros_like(losses))
    for gradient in torch.autograd.grad(losses.sum(), (student.image, student.text)):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient))


def test_only_similarities_count() -> None:
    """Turning all of a teacher's embeddings changes nothing."""
    turn, _ = torch.linalg.qr(torch.randn(7, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    turned = Pairs(TEACHER.image @ turn, TEACHER.text @ turn, TEACHER.scale)
    objective = RelationalKL()
    torch.testing.assert_close(objective.losses(STUDENT, turned, None, STEP), objective.losses(STUDENT, TEACHER, None, STEP))


def test_losses_are_positive_for_anyone_else() -> None:
    for seed in range(2, 30):
        assert (RelationalKL().losses(STUDENT, random_pairs(BATCH, 7, seed=seed), None, STEP) > 0).all()


def test_images_and_texts_are_treated_alike() -> None:
    def swap(pairs: Pairs) -> Pairs:
        return Pairs(pairs.text, pairs.image, pairs.scale)

    objective = RelationalKL()
    torch.testing.assert_close(
        objective.losses(swap(STUDENT), swap(TEACHER), None, STEP), objective.losses(STUDENT, TEACHER, None, STEP)
    )


def test_gradients_keep_their_size_as_the_temperature_rises() -> None:
    """What τ² is for (Hinton et al. 2015): at high temperatures the gradient no longer depends on τ."""
    sizes = []
    for temperature in (50.0, 100.0):
        student = random_pairs(BATCH, 4, scale=6.0, learn=True)
        losses = RelationalKL(temperature=temperature).losses(student, TEACHER, None, STEP)
        (gradient,) = torch.autograd.grad(losses.sum(), student.image)
        sizes.append(float(gradient.norm()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    assert sizes[0] > 1e-3


def test_sharp_teachers_do_not_overflow() -> None:
    teacher = Pairs(TEACHER.image.float(), TEACHER.text.float(), 1000.0)
    student = Pairs(STUDENT.image.float(), STUDENT.text.float(), 100.0)
    assert RelationalKL(temperature=0.1).losses(student, teacher, None, STEP).isfinite().all()


def test_standardized_logits_equal_the_papers_code() -> None:
    """`normalize` and `kd_loss` of github.com/sunshangquan/logit-standardization-KD, tools/dot.py of its CIFAR part."""

    def normalize(logit: Tensor) -> Tensor:
        mean = logit.mean(dim=-1, keepdim=True)
        stdv = logit.std(dim=-1, keepdim=True)
        made: Tensor = (logit - mean) / (1e-7 + stdv)
        return made

    def kd_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        log_pred = torch.nn.functional.log_softmax(normalize(student) / temperature, dim=1)
        pred = torch.nn.functional.softmax(normalize(teacher) / temperature, dim=1)
        return torch.nn.functional.kl_div(log_pred, pred, reduction="none").sum(1) * temperature**2

    expected = (kd_loss(STUDENT.logits, TEACHER.logits, 2.0) + kd_loss(STUDENT.logits.T, TEACHER.logits.T, 2.0)) / 2
    found = RelationalKL(temperature=2.0, standardize=True).losses(STUDENT, TEACHER, None, STEP)
    torch.testing.assert_close(found, expected)


def test_scales_have_no_effect_on_standardized_logits() -> None:
    objective = RelationalKL(standardize=True)
    other = objective.losses(Pairs(STUDENT.image, STUDENT.text, 99.0), Pairs(TEACHER.image, TEACHER.text, 1.0), None, STEP)
    torch.testing.assert_close(
        objective.losses(STUDENT, TEACHER, None, STEP), other, rtol=1e-6, atol=1e-6
    )  # 1e-7 on deviations


def test_standardized_logits_of_a_collapsed_student_have_a_finite_gradient() -> None:
    image = torch.ones(BATCH, 4).div(2).requires_grad_()
    losses = RelationalKL(standardize=True).losses(Pairs(image, image, 6.0), TEACHER, None, STEP)
    (gradient,) = torch.autograd.grad(losses.sum(), image)
    assert losses.isfinite().all()
    assert gradient.isfinite().all()


def test_a_scale_of_its_own_replaces_both() -> None:
    student, teacher = (Pairs(pairs.image, pairs.text, 20.0) for pairs in (STUDENT, TEACHER))
    found = RelationalKL(scale=20.0).losses(STUDENT, TEACHER, None, STEP)
    assert found.tolist() == pytest.approx(slow(student, teacher, 1.0), rel=1e-9)


def test_no_head_is_needed() -> None:
    assert RelationalKL().head(4, 7) is None


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_suite_cannot_give_another_temperature(temperature: float) -> None:
    (offer,) = kdbench_objectives()
    assert params_model(offer)().model_dump() == {"temperature": 1.0, "standardize": False, "scale": None}
    with pytest.raises(ValueError, match="temperature"):
        params_model(offer)(temperature=temperature)


def test_offer() -> None:
    (offer,) = kdbench_objectives()
    assert (offer.name, offer.build, offer.status) == ("relational_kl", RelationalKL, "published")
    assert "σ(s_t v_t u_tᵀ/τ)" in offer.formula
    assert "CLIP-KD" in offer.source
