"""`class_vector_kl` against loops, and what a classification by stored embeddings must satisfy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp, log, sqrt
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import normalize

from kdbench import Batch, KdbenchError, Pairs
from kdbench.plugins.parameters import params_model
from kdbench_plugins.objectives.class_vector_kl import ClassVectorKL, kdbench_objectives
from tests.support.toys import random_pairs

BATCH, WIDTH, OTHER = 5, 4, 7
BANKS = ["batch", "all", 3]


@dataclass
class Shelf:
    """A bank that remembers which captions and images it was asked for."""

    image: Tensor
    text: Tensor
    image_concepts: Tensor
    caption_concepts: Tensor
    asked: dict[str, list[int]] = field(default_factory=dict)

    def images(self, indices: Tensor | None = None) -> Tensor:
        return self._rows("image", self.image, indices)

    def captions(self, indices: Tensor | None = None) -> Tensor:
        return self._rows("text", self.text, indices)

    def _rows(self, name: str, values: Tensor, indices: Tensor | None) -> Tensor:
        self.asked[name] = (torch.arange(len(values)) if indices is None else indices).tolist()
        return values if indices is None else values[indices]


def drawn(count: int, seed: int, width: int = OTHER) -> Tensor:
    values = torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return normalize(values, dim=1)


# Concepts in no order and without 0, each of several images and captions; the batch shows one of them twice.
SHELF = Shelf(
    drawn(9, 10),
    drawn(14, 11),
    torch.tensor([30, 7, 12, 7, 30, 51, 12, 7, 2]),
    torch.tensor([12, 30, 30, 7, 51, 7, 2, 12, 30, 7, 51, 7, 2, 12]),
)
STEP = Batch(torch.tensor([6, 1, 5, 7, 8]), torch.tensor([7, 3, 10, 11, 6]), torch.tensor([12, 7, 51, 7, 2]), 0.5)
STUDENT = random_pairs(BATCH, WIDTH)


def teacher_of(shelf: Shelf = SHELF, batch: Batch = STEP, scale: float = 6.0) -> Pairs:
    return Pairs(shelf.image[batch.images], shelf.text[batch.captions], scale, shelf)


def heads(objective: ClassVectorKL, student_width: int = WIDTH, teacher_width: int = OTHER) -> nn.ModuleList:
    torch.manual_seed(0)
    made = objective.head(student_width, teacher_width).double()
    assert isinstance(made, nn.ModuleList)
    return made


def losses(
    bank: Any, student: Pairs = STUDENT, teacher: Pairs | None = None, batch: Batch = STEP, head: Any = None, **more: Any
) -> Tensor:
    objective = ClassVectorKL(bank=bank, **more)
    made = heads(objective) if head is None else head
    torch.manual_seed(3)  # as the core does at every step
    return objective.losses(student, teacher or teacher_of(batch=batch), made, batch)


def identities(width: int) -> nn.ModuleList:
    made = heads(ClassVectorKL(), width, width)
    with torch.no_grad():
        for head in made:
            head.weight.copy_(torch.eye(width))  # type: ignore[operator]
    return made


def by_concept(query: list[float], vectors: Tensor, concepts: list[int], scale: float) -> dict[int, float]:
    weights = [exp(scale * sum(a * b for a, b in zip(query, one, strict=True))) for one in vectors.tolist()]
    result = dict.fromkeys(concepts, 0.0)
    for weight, concept in zip(weights, concepts, strict=True):
        result[concept] += weight / sum(weights)
    return result


def slow(
    shelf: Shelf, batch: Batch, made: nn.ModuleList, captions: list[int], images: list[int], temperature: float
) -> list[float]:
    """For linear heads, with class vectors at the given places."""
    result = []
    for sample in range(BATCH):
        total = 0.0
        for head, own, aim, vectors, concepts in (
            (made[0], STUDENT.image, shelf.image[batch.images], shelf.text[captions], shelf.caption_concepts[captions]),
            (made[1], STUDENT.text, shelf.text[batch.captions], shelf.image[images], shelf.image_concepts[images]),
        ):
            rows = head.weight.tolist()  # type: ignore[operator]
            projected = [sum(w * x for w, x in zip(row, own[sample].tolist(), strict=True)) for row in rows]
            norm = sqrt(sum(x * x for x in projected))
            q = by_concept([x / norm for x in projected], vectors, concepts.tolist(), 6.0 / temperature)
            p = by_concept(aim[sample].tolist(), vectors, concepts.tolist(), 6.0 / temperature)
            total += sum(p[concept] * log(p[concept] / q[concept]) for concept in p)
        result.append(total / 2 * temperature**2)
    return result


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("bank", BANKS)
def test_losses_equal_the_loops(bank: Any, temperature: float) -> None:
    SHELF.asked.clear()
    found = losses(bank, temperature=temperature)
    assert found.shape == (BATCH,)
    captions = SHELF.asked.get("text", STEP.captions.tolist())
    images = SHELF.asked.get("image", STEP.images.tolist())
    assert (len(captions), len(images)) == {"batch": (5, 5), "all": (14, 9), 3: (8, 8)}[bank]
    expected = slow(SHELF, STEP, heads(ClassVectorKL()), captions, images, temperature)
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("bank", BANKS)
def test_a_caption_that_a_batch_shows_twice_is_one_class_vector(bank: Any) -> None:
    batch = replace(STEP, captions=torch.tensor([7, 11, 10, 11, 6]))
    SHELF.asked.clear()
    found = losses(bank, batch=batch)
    captions = SHELF.asked.get("text", [6, 7, 10, 11])
    images = SHELF.asked.get("image", STEP.images.tolist())
    assert len(set(captions)) == len(captions)
    assert found.tolist() == pytest.approx(slow(SHELF, batch, heads(ClassVectorKL()), captions, images, 1.0), rel=1e-9)


@pytest.mark.parametrize("hidden", [0, 3])
@pytest.mark.parametrize("bank", BANKS)
def test_gradients_are_right_in_the_student_and_in_its_heads(bank: Any, hidden: int) -> None:
    made = heads(ClassVectorKL(hidden=hidden))
    student = random_pairs(BATCH, WIDTH, learn=True)
    names = [name for name, _ in made[0].named_parameters()]

    def of(image: Tensor, text: Tensor, *values: Tensor) -> Tensor:
        parts = [dict(zip(names, part, strict=True)) for part in (values[: len(names)], values[len(names) :])]
        projections = [lambda x, h=head, p=part: functional_call(h, p, (x,)) for head, part in zip(made, parts, strict=True)]
        return losses(bank, Pairs(image, text, 1.0), head=projections)

    weights = [parameter.detach().clone().requires_grad_() for parameter in made.parameters()]
    assert torch.autograd.gradcheck(of, (student.image, student.text, *weights))


@pytest.mark.parametrize("bank", BANKS)
def test_a_student_that_is_its_teacher_has_no_loss_and_no_gradient(bank: Any) -> None:
    teacher = teacher_of()
    student = Pairs(teacher.image.clone().requires_grad_(), teacher.text.clone().requires_grad_(), 99.0)
    found = losses(bank, student, head=identities(OTHER), temperature=2.0)
    torch.testing.assert_close(found, torch.zeros_like(found))
    for gradient in torch.autograd.grad(found.sum(), (student.image, student.text)):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("bank", BANKS)
def test_losses_are_positive_for_anyone_else_whatever_its_own_scale(bank: Any) -> None:
    for seed in range(20):
        student = random_pairs(BATCH, WIDTH, seed=seed)
        found = losses(bank, student)
        assert (found > 0).all()
        torch.testing.assert_close(losses(bank, replace(student, scale=50.0)), found)


@pytest.mark.parametrize("bank", ["batch", "all", 2])
def test_images_and_texts_are_treated_alike(bank: Any) -> None:
    mirrored = Shelf(SHELF.text, SHELF.image, SHELF.caption_concepts, SHELF.image_concepts)
    batch = Batch(STEP.captions, STEP.images, STEP.concepts, 0.5)
    made = heads(ClassVectorKL())
    swapped = losses(
        bank, Pairs(STUDENT.text, STUDENT.image, 1.0), teacher_of(mirrored, batch), batch, nn.ModuleList([made[1], made[0]])
    )
    torch.testing.assert_close(swapped, losses(bank))


@pytest.mark.parametrize("bank", BANKS)
def test_permuted_pairs_have_permuted_losses(bank: Any) -> None:
    order = torch.tensor([3, 0, 4, 1, 2])
    batch = Batch(STEP.images[order], STEP.captions[order], STEP.concepts[order], 0.5)
    student = Pairs(STUDENT.image[order], STUDENT.text[order], 1.0)
    torch.testing.assert_close(losses(bank, student, batch=batch), losses(bank)[order])


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e3, 1e8])
@pytest.mark.parametrize("bank", BANKS)
def test_scales_of_any_size_leave_losses_and_gradients_finite(bank: Any, scale: float) -> None:
    shelf = replace(SHELF, image=SHELF.image.float(), text=SHELF.text.float())
    student = random_pairs(BATCH, WIDTH, dtype=torch.float32, learn=True)
    made = heads(ClassVectorKL()).float()
    found = losses(bank, student, teacher_of(shelf, scale=scale), head=made, temperature=0.1)
    assert found.isfinite().all()
    if scale >= 1e3:
        assert (found > 1).any()  # a sharp teacher that the student does not follow
    for gradient in torch.autograd.grad(found.sum(), (student.image, student.text)):
        assert gradient.isfinite().all()


def plain_kl(queries: Tensor, aims: Tensor, vectors: Tensor) -> Tensor:
    own, aim = (6.0 * rows @ vectors.T for rows in (queries, aims))
    p = aim.softmax(dim=1)
    return (p * (p / own.softmax(dim=1)).log()).sum(dim=1)


def test_with_one_vector_a_concept_it_is_the_plain_kl_of_softmaxes() -> None:
    shelf = Shelf(drawn(8, 20), drawn(8, 21), torch.randperm(8), torch.arange(8))
    batch = Batch(torch.arange(5), shelf.image_concepts[:5], shelf.image_concepts[:5], 0.5)
    teacher = teacher_of(shelf, batch)
    made = heads(ClassVectorKL())
    image, text = (normalize(head(own), dim=1) for head, own in zip(made, (STUDENT.image, STUDENT.text), strict=True))
    for bank, texts, images in (("all", shelf.text, shelf.image), ("batch", teacher.text, teacher.image)):
        expected = (plain_kl(image, teacher.image, texts) + plain_kl(text, teacher.text, images)) / 2
        torch.testing.assert_close(losses(bank, teacher=teacher, batch=batch), expected)


def test_a_bank_that_holds_everything_twice_changes_nothing() -> None:
    doubled = Shelf(
        SHELF.image.repeat(2, 1), SHELF.text.repeat(2, 1), SHELF.image_concepts.repeat(2), SHELF.caption_concepts.repeat(2)
    )
    torch.testing.assert_close(losses("all", teacher=teacher_of(doubled)), losses("all"))
    # Not because the concepts were overlooked: without them it is another loss.
    apart = Shelf(SHELF.image, SHELF.text, torch.arange(9), torch.arange(14))
    assert not torch.allclose(losses("all", teacher=teacher_of(apart)), losses("all"), rtol=0.01)


@pytest.mark.parametrize("bank", BANKS)
def test_what_concepts_are_called_does_not_matter(bank: Any) -> None:
    renamed = Shelf(SHELF.image, SHELF.text, 1000 - SHELF.image_concepts, 1000 - SHELF.caption_concepts)
    batch = replace(STEP, concepts=1000 - STEP.concepts)
    torch.testing.assert_close(losses(bank, teacher=teacher_of(renamed), batch=batch), losses(bank))


# A sample of the bank


def asked(seed: int, count: int) -> tuple[list[int], list[int]]:
    objective = ClassVectorKL(bank=count)
    torch.manual_seed(seed)
    objective.losses(STUDENT, teacher_of(), MADE, STEP)
    return SHELF.asked["text"], SHELF.asked["image"]


MADE = heads(ClassVectorKL())


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_sample_is_the_batch_and_different_others(count: int) -> None:
    seen = set()
    for seed in range(60):
        captions, images = asked(seed, count)
        assert sorted(captions[:5]) == sorted(STEP.captions.tolist())
        assert sorted(images[:5]) == sorted(STEP.images.tolist())
        assert len(set(captions)) == len(captions) == 5 + count
        assert len(set(images)) == len(images) == 5 + min(count, 4)  # there are no more
        seen |= set(captions[5:])
    assert seen == set(range(14)) - set(STEP.captions.tolist())


def test_every_other_is_as_likely_to_be_drawn() -> None:
    counts = dict.fromkeys(set(range(14)) - set(STEP.captions.tolist()), 0)
    for seed in range(600):
        for caption in asked(seed, 3)[0][5:]:
            counts[caption] += 1
    assert min(counts.values()) > 150  # 200 expected, with a standard deviation of 12
    assert max(counts.values()) < 250


def test_a_sample_follows_from_the_seed_of_the_step_alone() -> None:
    assert asked(1, 3) == asked(1, 3)
    assert asked(1, 3) != asked(2, 3)
    torch.manual_seed(1)
    torch.rand(7)  # the student's dropout, or another teacher
    before = torch.get_rng_state()
    ClassVectorKL(bank=3).losses(STUDENT, teacher_of(), MADE, STEP)
    assert torch.equal(torch.get_rng_state(), before)
    assert (SHELF.asked["text"], SHELF.asked["image"]) == asked(1, 3)


def test_a_sample_larger_than_the_bank_is_all_of_it() -> None:
    torch.testing.assert_close(losses(1000), losses("all"))


def test_only_the_batch_does_without_stored_embeddings() -> None:
    bare = replace(teacher_of(), bank=None)
    torch.testing.assert_close(losses("batch", teacher=bare), losses("batch"))
    for bank in ("all", 3):
        with pytest.raises(KdbenchError, match=f"bank: {bank} needs a teacher with stored embeddings"):
            losses(bank, teacher=bare)


# Temperature, heads, parameters


def test_gradients_keep_their_size_as_the_temperature_rises() -> None:
    """What τ² is for (Hinton et al. 2015): at high temperatures the gradient no longer depends on τ."""
    sizes = []
    for temperature in (50.0, 100.0):
        student = random_pairs(BATCH, WIDTH, learn=True)
        (gradient,) = torch.autograd.grad(losses("all", student, temperature=temperature).sum(), student.image)
        sizes.append(float(gradient.norm()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    assert sizes[0] > 1e-3


def test_heads_are_linear_without_bias_or_have_one_hidden_layer() -> None:
    def shapes(hidden: int) -> list[tuple[int, ...]]:
        return [tuple(parameter.shape) for parameter in ClassVectorKL(hidden=hidden).head(4, 7).parameters()]

    assert shapes(0) == [(7, 4)] * 2
    assert shapes(3) == [(3, 4), (3,), (7, 3), (7,)] * 2
    first, second = heads(ClassVectorKL(hidden=3))
    assert not torch.allclose(first(STUDENT.image), second(STUDENT.image))
    into, into_bias, out, out_bias = first.parameters()
    hidden = (STUDENT.image @ into.T + into_bias).clamp(min=0)
    torch.testing.assert_close(first(STUDENT.image), hidden @ out.T + out_bias)


def test_a_suite_can_give_these_parameters() -> None:
    (offer,) = kdbench_objectives()
    assert params_model(offer)().model_dump() == {"temperature": 1.0, "bank": "all", "hidden": 0}
    assert [params_model(offer)(bank=bank).model_dump()["bank"] for bank in ("batch", "all", 64)] == ["batch", "all", 64]
    wrong: dict[str, list[Any]] = {"temperature": [0.0, -1.0], "bank": [0, -1, "some", True, 2.5], "hidden": [-1, 1.5]}
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=name):
                params_model(offer)(**{name: value})
    assert (offer.status, offer.waives) == ("reconstruction", {})
