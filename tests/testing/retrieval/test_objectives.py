"""The kit over every first-party objective, and over wrong ones, of which it must name the property they break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from kdbench import Batch, Objective, Pairs
from kdbench.plugins.loading import installed
from kdbench.testing import Finding, check_objective, conform
from kdbench.testing.retrieval.objective_inputs import KitBank, drawn_inputs, identity, losses_of
from kdbench.testing.retrieval.objectives import PROPERTIES, find

# Beside the example that the offer has.
MORE: dict[str, list[dict[str, Any]]] = {"relational_kl": [{"temperature": 4.0}]}
FIRST_PARTY = [
    (name, params)
    for name, listed in installed().offers("objective").items()
    if listed.provider.startswith("kdbench:")
    for params in [None, *MORE.get(name, [])]
]


def failing(findings: list[Finding]) -> dict[str, str]:
    return {finding.property: finding.detail for finding in findings if finding.outcome == "fails"}


@pytest.mark.parametrize(("name", "params"), FIRST_PARTY)
def test_first_party_objectives_conform(name: str, params: dict[str, Any] | None) -> None:
    assert failing(conform(installed().find("objective", name).offer, "objective", params)) == {}


class Base:
    """Cosine distance through a linear layer for both towers. What is wrong derives from it."""

    def head(self, student_width: int, teacher_width: int) -> nn.Module | None:
        return nn.ModuleList([nn.Linear(student_width, teacher_width) for _ in range(2)])

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:  # noqa: ARG002
        image = normalize(head[0](student.image), dim=1) * teacher.image
        text = normalize(head[1](student.text), dim=1) * teacher.text
        return 2 - image.sum(dim=1) - text.sum(dim=1)


class Mean(Base):
    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        return super().losses(student, teacher, head, batch).mean()[None]


class Explodes(Base):
    """float32 ends at e^88."""

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        similarity = student.scale * (student.image * student.text).sum(dim=1)
        return super().losses(student, teacher, head, batch) * (1 + 1e-20 * similarity.exp())


class RootAtZero(Base):
    """A square root, whose derivative at zero is infinite: only a perfect student meets it."""

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        losses = super().losses(student, teacher, head, batch)
        if student.image.shape != teacher.image.shape:
            return losses
        gaps = (student.image - teacher.image).square() + (student.text - teacher.text).square()
        return losses + gaps.sum(dim=1).sqrt()


class HeadAlone(Base):
    """Trains its head and not the student; its derivative is right for all it does."""

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:  # noqa: ARG002
        gaps = [layer.weight - torch.eye(*layer.weight.shape, dtype=layer.weight.dtype) for layer in head]
        return torch.stack([gap.square().sum() for gap in gaps]).sum() * torch.ones_like(student.image[:, 0])


class Stops(Base):
    """Weighs samples by a factor that depends on the student and is left out of the derivative."""

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        losses = super().losses(student, teacher, head, batch)
        return losses * losses.detach()


class ScaleStops(Base):
    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        return super().losses(student, teacher, head, batch) * torch.as_tensor(student.scale).detach()


class HeadStops(Base):
    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        layers = [lambda x, layer=layer: linear(x, layer.weight.detach(), layer.bias) for layer in head]
        return super().losses(student, teacher, layers, batch)


class Offset(Base):
    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        return super().losses(student, teacher, head, batch) + 0.01


class ImagesMore(Base):
    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:  # noqa: ARG002
        image = normalize(head[0](student.image), dim=1) * teacher.image
        text = normalize(head[1](student.text), dim=1) * teacher.text
        return 2 - 1.5 * image.sum(dim=1) - 0.5 * text.sum(dim=1)


class ImageRows(Base):
    """Looks captions up by the numbers of images, and pictures by those of images: one of the two is right."""

    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        assert teacher.bank
        image, text = teacher.bank.images(batch.images), teacher.bank.captions(batch.images)
        spread = (image - teacher.image).square().sum(dim=1) + (text - teacher.text).square().sum(dim=1)
        return super().losses(student, teacher, head, batch) * (1 + spread)


class ChangesBank(Base):
    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        assert teacher.bank
        teacher.bank.captions().mul_(0.5)
        return super().losses(student, teacher, head, batch)


class Relabels(Base):
    def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
        batch.concepts.add_(1)
        return super().losses(student, teacher, head, batch)


WRONG: list[tuple[Callable[[], Objective], str, str]] = [
    (Mean, "one loss per sample", "found torch.float32 of shape [1], expected floats [2]"),
    (Explodes, "finite", "collapsed student, teacher of width 4, scale 100: found losses"),
    (RootAtZero, "finite", "perfect student, teacher of width 4, scale 1: found the gradient"),
    (HeadAlone, "moves the student", "teacher of width 4: found no gradient at the embeddings"),
    (Stops, "gradient", "Jacobian mismatch for output 0 with respect to input 0"),
    (ScaleStops, "gradient", "Jacobian mismatch for output 0 with respect to input 2"),
    (HeadStops, "gradient", "Jacobian mismatch for output 0 with respect to input 3"),
    (Offset, "zero where teacher and student agree", "found [0.01, 0.01"),
    (ImagesMore, "swapping modalities swaps directions", "modalities swapped, batch 6: found"),
    (ImageRows, "swapping modalities swaps directions", "raised IndexError"),
    (ChangesBank, "inputs untouched", "bank.caption_rows has changed"),
    (Relabels, "inputs untouched", "batch.concepts has changed"),
]


@pytest.mark.parametrize(("build", "broken", "told"), WRONG, ids=[build.__name__ for build, _, _ in WRONG])
def test_a_wrong_objective_is_told_the_property_it_breaks(build: Callable[[], Objective], broken: str, told: str) -> None:
    found = failing(find(build))
    assert set(found) == {broken}
    assert told in found[broken]


def test_every_property_has_a_wrong_objective() -> None:
    assert {broken for _, broken, _ in WRONG} == set(PROPERTIES)


def test_a_right_objective_holds_every_property() -> None:
    findings = find(Base)
    assert [(finding.property, finding.outcome) for finding in findings] == [(name, "holds") for name in PROPERTIES]


def test_a_loss_without_a_gradient_is_no_loss() -> None:
    class Detached(Base):
        def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
            return super().losses(student, teacher, head, batch).detach()

    assert set(failing(find(Detached))) == {"moves the student", "gradient"}


def test_a_head_for_one_width_is_quoted() -> None:
    class Narrow(Base):
        def head(self, student_width: int, teacher_width: int) -> nn.Module | None:  # noqa: ARG002
            return super().head(student_width, student_width)

    found = failing(find(Narrow))
    assert set(found) == set(PROPERTIES) - {"zero where teacher and student agree", "swapping modalities swaps directions"}
    assert "raised RuntimeError: The size of tensor" in found["one loss per sample"]


def test_a_head_that_cannot_be_the_identity_must_waive() -> None:
    class Curved(Base):
        def head(self, student_width: int, teacher_width: int) -> nn.Module:
            layers = [[nn.Linear(student_width, teacher_width), nn.LayerNorm(teacher_width)] for _ in range(2)]
            return nn.ModuleList([nn.Sequential(*both) for both in layers])

    needing = ["zero where teacher and student agree", "swapping modalities swaps directions"]
    found = failing(find(Curved))
    assert set(found) == set(needing)
    assert all("the head's 0.1 is LayerNorm" in detail and "waive" in detail for detail in found.values())
    check_objective(Curved, needing)


def test_the_identity_is_one() -> None:
    head = nn.ModuleList([nn.Linear(3, 3), nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 3, bias=False))])
    values = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    for layer in identity(head):
        torch.testing.assert_close(layer(values), values, rtol=0, atol=0)
    assert identity(None) is None


def test_a_scene_has_a_bank_whose_rows_are_the_pairs() -> None:
    objective = Base()
    found = drawn_inputs(objective, teacher_width=6, batch_size=5)
    bank, batch = found.teacher.bank, found.batch
    assert isinstance(bank, KitBank)
    assert torch.equal(bank.images(batch.images), found.teacher.image)
    assert torch.equal(bank.captions(batch.captions), found.teacher.text)
    assert torch.equal(bank.image_concepts[batch.images], batch.concepts)
    assert torch.equal(bank.caption_concepts[batch.captions], batch.concepts)
    assert len(bank.images()) > 5
    assert len(bank.captions()) > len(bank.images())
    assert not torch.equal(batch.images, batch.captions)
    assert batch.images.tolist() != list(range(5))
    assert batch.same.sum() == 5 + 2
    for pairs in (found.student, found.teacher):
        for vectors in (pairs.image, pairs.text):
            torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5).double())


def test_what_an_objective_draws_is_the_same_each_time_and_leaves_no_trace() -> None:
    class Draws(Base):
        def losses(self, student: Pairs, teacher: Pairs, head: Any, batch: Batch) -> Tensor:
            return super().losses(student, teacher, head, batch) * torch.rand(1)

    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    assert failing(find(Draws)) == {}
    found = drawn_inputs(Draws())
    assert torch.equal(losses_of(Draws(), found), losses_of(Draws(), found))
    assert torch.equal(torch.rand(2), expected)


def test_checks_raise_with_all_that_fails_unless_waived() -> None:
    check_objective(Base)
    with pytest.raises(AssertionError, match=r"1 of the properties fail:\n  zero where teacher and student agree: student and"):
        check_objective(Offset)
    check_objective(Offset, waives=["zero where teacher and student agree"])
