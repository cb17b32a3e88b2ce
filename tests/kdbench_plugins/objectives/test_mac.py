"""`mac` against loops, its schedule, and what places that take turns must satisfy."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import Tensor

from kdbench import Pairs
from kdbench.plugins.parameters import params_model
from kdbench_plugins.objectives.mac import Mac, kdbench_objectives
from tests.support.toys import batch_of, random_pairs

BATCH = 6
STEP = batch_of(torch.tensor([4, 9, 4, 0, 7, 4]), progress=0.25)  # concept 4 in even places and an odd one
STUDENT = random_pairs(BATCH, 4)
TEACHER = random_pairs(BATCH, 7, seed=1)


def slow(student: Pairs, concepts: list[int], progress: float, temperature: float) -> list[float]:
    images, texts = student.image.tolist(), student.text.tolist()
    result = []
    for query in range(BATCH):
        asking = images[query] if query % 2 == 0 else texts[query]
        scores = []
        for place in range(BATCH):
            target, modality = (texts[place], "text") if place % 2 == 0 else (images[place], "image")
            wanted = "text" if query % 2 == 0 else "image"
            tau = temperature * exp(-min(0.5, progress)) if modality == wanted else temperature
            scores.append(sum(a * b for a, b in zip(asking, target, strict=True)) / tau)
        whole = log(sum(map(exp, scores)))
        right = [score - whole for score, of in zip(scores, concepts, strict=True) if of == concepts[query]]
        result.append(-sum(right) / len(right))
    return result


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("temperature", [0.03, 0.5])
def test_losses_equal_the_loops(temperature: float, progress: float) -> None:
    found = Mac(temperature=temperature).losses(STUDENT, TEACHER, None, batch_of(STEP.concepts, progress))
    assert found.shape == (BATCH,)
    assert found.tolist() == pytest.approx(slow(STUDENT, STEP.concepts.tolist(), progress, temperature), rel=1e-9)


def test_the_temperature_within_a_modality_falls_until_half_time() -> None:
    found = [Mac().intra_temperature(progress) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert found == pytest.approx([0.030, 0.023364, 0.018196, 0.018196, 0.018196], abs=1e-6)
    assert Mac(temperature=1.0).intra_temperature(0.25) == pytest.approx(exp(-0.25), rel=1e-12)


@pytest.mark.parametrize("progress", [0.0, 0.25, 1.0])
def test_two_pairs_of_different_concepts_have_a_closed_form(progress: float) -> None:
    """One target of each modality: the positive at the lower temperature, the other at the one that stays."""
    student = random_pairs(2, 4)
    found = Mac(temperature=0.5).losses(student, TEACHER, None, batch_of(torch.arange(2), progress))
    matching = float(student.image[0] @ student.text[0]), float(student.image[1] @ student.text[1])
    others = float(student.image[0] @ student.image[1]), float(student.text[0] @ student.text[1])
    hard = 0.5 * exp(-min(0.5, progress))
    expected = [log(1 + exp(other / 0.5 - match / hard)) for match, other in zip(matching, others, strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


def test_at_the_start_there_is_one_temperature() -> None:
    """And then the loss is InfoNCE of the mixed targets."""
    even = (torch.arange(BATCH) % 2 == 0)[:, None]
    queries, targets = torch.where(even, STUDENT.image, STUDENT.text), torch.where(even, STUDENT.text, STUDENT.image)
    expected = torch.nn.functional.cross_entropy(queries @ targets.T / 0.03, torch.arange(BATCH), reduction="none")
    found = Mac().losses(STUDENT, TEACHER, None, batch_of(torch.arange(BATCH), 0.0))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("progress", [0.0, 0.5])
def test_gradients_are_right(progress: float) -> None:
    student = random_pairs(BATCH, 4, learn=True)

    def losses(image: Tensor, text: Tensor) -> Tensor:
        return Mac(temperature=0.3).losses(Pairs(image, text, 1.0), TEACHER, None, batch_of(STEP.concepts, progress))

    assert torch.autograd.gradcheck(losses, (student.image, student.text))
    for gradient in torch.autograd.grad(losses(student.image, student.text).sum(), (student.image, student.text)):
        assert (gradient.norm(dim=1) > 0).all()


def test_neither_the_teacher_nor_a_scale_counts() -> None:
    before = Mac().losses(STUDENT, TEACHER, None, STEP)
    found = Mac().losses(Pairs(STUDENT.image, STUDENT.text, 99.0), random_pairs(BATCH, 3, seed=8), None, STEP)
    assert torch.equal(found, before)
    assert Mac().head(4, 7) is None


def test_of_pairs_that_agree_the_others_remain() -> None:
    basis = Pairs(torch.eye(BATCH).double(), torch.eye(BATCH).double(), 1.0)
    found = Mac(temperature=0.5).losses(basis, TEACHER, None, batch_of(torch.arange(BATCH), 0.25))
    expected = log(1 + (BATCH - 1) * exp(-1 / (0.5 * exp(-0.25))))
    torch.testing.assert_close(found, torch.full((BATCH,), expected, dtype=torch.float64))


def test_losses_are_not_below_the_entropy_of_the_positives() -> None:
    for seed in range(20):
        found = Mac().losses(random_pairs(BATCH, 4, seed=seed), TEACHER, None, STEP)
        assert (found >= STEP.same.sum(dim=1).double().log()).all()


def test_swapping_modalities_swaps_even_and_odd_places() -> None:
    rolled = Pairs(STUDENT.text.roll(1, dims=0), STUDENT.image.roll(1, dims=0), 1.0)
    found = Mac().losses(rolled, TEACHER, None, batch_of(STEP.concepts.roll(1), 0.25))
    before = Mac().losses(STUDENT, TEACHER, None, STEP)
    torch.testing.assert_close(found, before.roll(1))
    swapped = Mac().losses(Pairs(STUDENT.text, STUDENT.image, 1.0), TEACHER, None, STEP)
    assert not torch.allclose(swapped, before, rtol=0.01)


def test_pairs_permuted_among_even_and_among_odd_places_have_permuted_losses() -> None:
    order = torch.tensor([4, 1, 0, 5, 2, 3])
    student = Pairs(STUDENT.image[order], STUDENT.text[order], 1.0)
    found = Mac().losses(student, TEACHER, None, batch_of(STEP.concepts[order], 0.25))
    torch.testing.assert_close(found, Mac().losses(STUDENT, TEACHER, None, STEP)[order])


@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 1e6])
def test_temperatures_of_any_size_leave_losses_and_gradients_finite(temperature: float) -> None:
    student = random_pairs(BATCH, 4, dtype=torch.float32, learn=True)
    found = Mac(temperature=temperature).losses(student, TEACHER, None, STEP)
    assert found.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(found.sum(), (student.image, student.text)))


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_suite_cannot_give_another_temperature(temperature: float) -> None:
    (offer,) = kdbench_objectives()
    assert params_model(offer)().model_dump() == {"temperature": 0.03}
    with pytest.raises(ValueError, match="temperature"):
        params_model(offer)(temperature=temperature)


def test_offer() -> None:
    (offer,) = kdbench_objectives()
    assert (offer.name, offer.status) == ("mac", "published")
    assert set(offer.waives) == {"zero where teacher and student agree", "swapping modalities swaps directions"}
