"""What a strategy sees: against slow oracles, and only when it looks."""

from __future__ import annotations

import pytest
import torch
from models import Count, random_pairs
from torch import Tensor
from torch.nn.functional import cross_entropy

from kdbench import Objective, Pairs
from kdbench.losses import same_concept
from kdbench.signal import StepSignal
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL

BATCH, WIDTH, TEACHERS = 5, 4, 3
READINGS = ("losses", "truth_losses", "teacher_probs", "student_probs", "embeddings", "gradients", "gramian")


class OnlyImages:
    """An objective that looks at one tower alone."""

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def losses(self, student: Pairs, teacher: Pairs, head: object) -> Tensor:  # noqa: ARG002
        return (student.image @ student.image.T).cos().sum(dim=1) * teacher.image.sum(dim=1)


class Case:
    """A signal over the graph of three teachers, one of them twice as wide, and what it was made from."""

    def __init__(self, objective: Objective = RelationalKL(temperature=2.0)) -> None:  # noqa: B008
        self.objective = objective
        self.student = random_pairs(BATCH, WIDTH, scale=6.0, learn=True)
        self.teachers = [random_pairs(BATCH, WIDTH * (1 + t % 2), scale=3.0 + t, seed=t + 1) for t in range(TEACHERS)]
        torch.manual_seed(0)
        self.heads = [self.objective.head(WIDTH, teacher.image.shape[1]) for teacher in self.teachers]
        for head in self.heads:
            if head is not None:
                head.double()
        self.same = same_concept(torch.tensor([0, 1, 0, 2, 3]))
        self.signal = StepSignal(
            torch.stack([self.losses(self.student, place) for place in range(TEACHERS)]),
            self.student,
            self.teachers,
            ["a", "b", "c"],
            self.same,
            0.25,
            torch.Generator(),
        )

    def losses(self, student: Pairs, place: int) -> Tensor:
        return self.objective.losses(student, self.teachers[place], self.heads[place])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Counts calls of autograd."""
    counted = Count(torch.autograd.grad)
    monkeypatch.setattr(torch.autograd, "grad", counted)
    return counted


@pytest.mark.parametrize("objective", [RelationalKL(), Feature(), OnlyImages()])
def test_gradients_equal_those_of_separate_losses(objective: Objective) -> None:
    """Each teacher's loss built and differentiated on its own, at fresh copies of the embeddings."""
    case = Case(objective)
    rows = []
    for place in range(TEACHERS):
        copies = [part.detach().clone().requires_grad_() for part in (case.student.image, case.student.text)]
        loss = sum(case.losses(Pairs(copies[0], copies[1], 6.0), place), start=torch.zeros(())) / BATCH
        loss.backward()
        gradients = [torch.zeros_like(copy) if copy.grad is None else copy.grad for copy in copies]
        rows.append(torch.cat([gradients[0].flatten(), gradients[1].flatten()]))
    found = case.signal.gradients
    assert found.shape == (TEACHERS, 2 * BATCH * WIDTH)
    torch.testing.assert_close(found, torch.stack(rows))
    assert found.abs().sum() > 0


def test_the_gramian_holds_inner_products_of_gradients() -> None:
    signal = Case().signal
    gramian, gradients = signal.gramian, signal.gradients
    for i in range(TEACHERS):
        for j in range(TEACHERS):
            assert float(gramian[i, j]) == pytest.approx(float((gradients[i] * gradients[j]).sum()), rel=1e-6)


@pytest.mark.parametrize("reading", READINGS)
def test_gradients_are_computed_only_for_who_reads_them(reading: str, calls: Count) -> None:
    signal = Case().signal
    assert calls.calls == 0
    for _ in range(2):
        getattr(signal, reading)
    assert calls.calls == (TEACHERS if reading in ("gradients", "gramian") else 0)


def test_gradients_and_gramian_are_computed_once(calls: Count) -> None:
    signal = Case().signal
    assert signal.gramian is signal.gramian
    assert signal.gradients is signal.gradients
    assert calls.calls == TEACHERS


def test_what_is_not_read_is_not_computed() -> None:
    signal = Case().signal
    assert not set(vars(signal)) & set(READINGS)
    _ = signal.losses
    assert set(vars(signal)) & set(READINGS) == {"losses"}


@pytest.mark.parametrize("reading", READINGS)
def test_nothing_carries_a_gradient(reading: str) -> None:
    value: Tensor = getattr(Case().signal, reading)
    assert not value.requires_grad
    assert value.grad_fn is None


def test_reading_leaves_the_loss_ready_for_its_backward() -> None:
    """In any order, and without adding to the gradients that gather at the student's embeddings."""
    case = Case()
    losses = torch.stack([case.losses(case.student, place) for place in range(TEACHERS)])
    signal = StepSignal(losses, case.student, case.teachers, ["a", "b", "c"], case.same, 0.0, torch.Generator())
    for reading in READINGS:
        getattr(signal, reading)
    assert case.student.image.grad is None
    losses.mean().backward()  # type: ignore[no-untyped-call]
    gathered = torch.cat([part.grad.flatten() for part in (case.student.image, case.student.text) if part.grad is not None])
    torch.testing.assert_close(gathered, signal.gradients.mean(dim=0))


def test_values_are_those_of_the_contract() -> None:
    case = Case()
    signal = case.signal
    torch.testing.assert_close(
        signal.losses, torch.stack([case.losses(case.student, place) for place in range(TEACHERS)]).detach()
    )
    assert signal.embeddings.shape == (2, BATCH, WIDTH)
    torch.testing.assert_close(signal.embeddings[0], case.student.image.detach())
    torch.testing.assert_close(signal.embeddings[1], case.student.text.detach())
    torch.testing.assert_close(
        signal.student_probs, torch.softmax(6.0 * case.student.image @ case.student.text.T, dim=1).detach()
    )
    assert signal.teacher_probs.shape == (TEACHERS, BATCH, BATCH)
    for place, teacher in enumerate(case.teachers):
        torch.testing.assert_close(
            signal.teacher_probs[place], torch.softmax((3.0 + place) * teacher.image @ teacher.text.T, dim=1)
        )
    assert (signal.teachers, signal.progress) == (("a", "b", "c"), 0.25)


def test_truth_losses_are_cross_entropies_both_ways() -> None:
    case = Case()
    case.signal._same = same_concept(torch.arange(BATCH))
    truth = torch.arange(BATCH)
    for place, teacher in enumerate(case.teachers):
        scores = (3.0 + place) * teacher.image @ teacher.text.T
        both = [cross_entropy(s, truth, reduction="none") for s in (scores, scores.T)]
        torch.testing.assert_close(case.signal.truth_losses[place], (both[0] + both[1]) / 2)
