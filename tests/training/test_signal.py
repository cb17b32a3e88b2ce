"""What a strategy sees: against slow oracles, and only when it looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kdbench import Batch, Objective, Pairs, PluginError
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.training.signal import Graph, StepSignal
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from tests.support.toys import Count, TwoTowers, batch_of, random_pairs

BATCH, WIDTH, TEACHERS = 5, 4, 3
CONCEPTS = torch.tensor([0, 1, 0, 2, 3])
# What each reading costs: backwards of losses, and logits of a model on the batch.
COSTS = {
    "losses": (0, 0),
    "truth_losses": (0, TEACHERS),
    "task_losses": (0, 0),
    "teacher_probs": (0, TEACHERS),
    "student_probs": (0, 0),
    "embeddings": (0, 0),
    "teacher_embeddings": (0, 0),
    "gradients": (TEACHERS, 0),
    "gramian": (TEACHERS, 0),
    "parameter_gramian": (2 * TEACHERS, 0),
}
READINGS = tuple(COSTS)


class OnlyImages:
    """An objective that looks at one tower alone, and not at the scale."""

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def losses(self, student: Pairs, teacher: Pairs, head: object, batch: Batch) -> Tensor:  # noqa: ARG002
        return (student.image @ student.image.T).cos().sum(dim=1) * teacher.image.sum(dim=1)


class Case:
    """A signal over the graph of three teachers, one of them twice as wide, and what it was made from. In float64."""

    def __init__(self, objective: Objective = RelationalKL(temperature=2.0), frozen: Sequence[str] = ()) -> None:  # noqa: B008
        self.objective = objective
        torch.manual_seed(0)
        self.module = TwoTowers(WIDTH).double()
        for name in frozen:
            self.module.get_parameter(name).requires_grad_(False)
        self.parameters = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        self.images = torch.randint(0, 256, (BATCH, 6, 6, 3), dtype=torch.uint8)
        self.texts = torch.randint(0, 3, (BATCH, 6))
        self.batch = batch_of(CONCEPTS, progress=0.25)
        self.roots = self.outputs()
        image, text = (root.detach().requires_grad_() for root in self.roots[:2])
        self.student = Pairs(image, text, self.roots[2])
        self.teachers = [random_pairs(BATCH, WIDTH * (1 + t % 2), scale=3.0 + t, seed=t + 1) for t in range(TEACHERS)]
        self.heads = [self.objective.head(WIDTH, teacher.image.shape[1]) for teacher in self.teachers]
        for head in self.heads:
            if head is not None:
                head.double()
        self.graph = Graph(
            [self.losses(self.student, place) for place in range(TEACHERS)],
            self.student,
            [[] if head is None else list(head.parameters()) for head in self.heads],
            self.roots[:2],
            self.parameters,
        )
        self.task = pair_losses(self.student, self.batch.same)
        self.generator = torch.Generator()
        self.signal = StepSignal(Retrieval(), self.graph, self.teachers, ["a", "b", "c"], self.batch, self.task, self.generator)

    def outputs(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.module.encode_image(self.images), self.module.encode_text(self.texts), self.module.logit_scale.exp()

    def losses(self, student: Pairs, place: int) -> Tensor:
        return self.objective.losses(student, self.teachers[place], self.heads[place], self.batch)


OBJECTIVES = [RelationalKL(temperature=2.0), Feature(), OnlyImages()]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> tuple[Count, Count]:
    """Counts calls of autograd, and of the logits of a model."""
    counted = Count(torch.autograd.grad), Count(vars(Pairs)["logits"].func)
    monkeypatch.setattr(torch.autograd, "grad", counted[0])
    monkeypatch.setattr(vars(Pairs)["logits"], "func", counted[1])
    return counted


def uncounted(calls: tuple[Count, Count]) -> StepSignal:
    """A signal whose own losses, made outside of it, are not among the calls."""
    signal = Case(OnlyImages()).signal
    assert [count.calls for count in calls] == [0, 1]  # the task loss
    calls[1].calls = 0
    return signal


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_equal_those_of_separate_losses(objective: Objective) -> None:
    """Each teacher's loss built and differentiated on its own, at fresh copies of the embeddings."""
    case = Case(objective)
    rows = []
    for place in range(TEACHERS):
        copies = [part.detach().clone().requires_grad_() for part in (case.student.image, case.student.text)]
        student = Pairs(copies[0], copies[1], case.module.logit_scale.detach().exp())
        loss = sum(case.losses(student, place), start=torch.zeros(())) / BATCH
        loss.backward()
        gradients = [torch.zeros_like(copy) if copy.grad is None else copy.grad for copy in copies]
        rows.append(torch.cat([gradients[0].flatten(), gradients[1].flatten()]))
    found = case.signal.gradients
    assert found.shape == (TEACHERS, 2 * BATCH * WIDTH)
    torch.testing.assert_close(found, torch.stack(rows))
    assert found.abs().sum() > 0


def test_the_tasks_gradient_is_flattened_like_the_teachers() -> None:
    case = Case()
    copies = [part.detach().clone().requires_grad_() for part in (case.student.image, case.student.text)]
    student = Pairs(copies[0], copies[1], case.module.logit_scale.detach().exp())
    expected = torch.autograd.grad(pair_losses(student, case.batch.same).mean(), copies)
    found = case.signal.task_gradient
    torch.testing.assert_close(found, torch.cat([grad.flatten() for grad in expected]))
    assert found.shape == case.signal.gradients[0].shape
    assert not found.requires_grad
    assert case.signal.losses.shape == (TEACHERS, BATCH)
    case.task.mean().backward()  # type: ignore[no-untyped-call]  # the step's own backward comes after it


def test_the_gramian_holds_inner_products_of_gradients() -> None:
    signal = Case().signal
    gramian, gradients = signal.gramian, signal.gradients
    for i in range(TEACHERS):
        for j in range(TEACHERS):
            assert float(gramian[i, j]) == pytest.approx(float((gradients[i] * gradients[j]).sum()), rel=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("frozen", [(), ("text_tower.weight", "text_tower.bias"), ("logit_scale",)])
def test_the_parameter_gramian_equals_that_of_full_backwards(objective: Objective, frozen: Sequence[str]) -> None:
    """One graph from the parameters to each teacher's loss, with no copies of embeddings between them."""
    case = Case(objective, frozen)
    rows = []
    for place in range(TEACHERS):
        case.module.zero_grad()
        case.losses(Pairs(*case.outputs()), place).mean().backward()  # type: ignore[no-untyped-call]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in case.parameters]
        rows.append(np.concatenate([gradient.numpy().ravel() for gradient in gradients]))
    case.module.zero_grad()
    expected = np.array([[np.dot(one, other) for other in rows] for one in rows])
    assert np.linalg.matrix_rank(expected, tol=1e-12) == TEACHERS
    found = case.signal.parameter_gramian
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-15)
    assert not torch.allclose(found, case.signal.gramian, rtol=0.1)


def test_the_parameter_gramian_leaves_no_gradient_behind() -> None:
    case = Case(Feature())
    _ = case.signal.parameter_gramian
    heads = [parameter for head in case.heads if head is not None for parameter in head.parameters()]
    assert all(leaf.grad is None for leaf in (*case.parameters, *heads, case.student.image, case.student.text))


@pytest.mark.parametrize("reading", READINGS)
def test_only_what_is_read_is_computed_and_only_once(reading: str, calls: tuple[Count, Count]) -> None:
    signal = uncounted(calls)
    first = getattr(signal, reading)
    assert getattr(signal, reading) is first
    assert tuple(count.calls for count in calls) == COSTS[reading]


def test_readings_share_what_they_have_in_common(calls: tuple[Count, Count]) -> None:
    signal = uncounted(calls)
    _ = signal.teacher_probs, signal.truth_losses
    assert [count.calls for count in calls] == [0, TEACHERS]
    _ = signal.gradients, signal.gramian
    assert [count.calls for count in calls] == [TEACHERS, TEACHERS]
    _ = signal.parameter_gramian
    assert [count.calls for count in calls] == [2 * TEACHERS, TEACHERS]


def test_what_is_not_read_is_not_there() -> None:
    signal = Case().signal
    assert not set(vars(signal)) & set(READINGS)
    _ = signal.losses
    assert set(vars(signal)) & set(READINGS) == {"losses"}


def watch(module: nn.Module, told: Callable[[], object]) -> None:
    """Tells of each backward through a module's output."""

    def forward(_: nn.Module, __: Any, output: Tensor) -> None:
        output.register_hook(lambda _: told())  # type: ignore[no-untyped-call]

    module.register_forward_hook(forward)


def test_a_teachers_gradient_runs_no_other_teachers_head(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[tuple[int, int]] = []
    build = Feature.head
    built: list[int] = []

    def head(self: Feature, student_width: int, teacher_width: int) -> Any:
        made: Any = build(self, student_width, teacher_width)
        built.append(len(built))
        for tower, layer in enumerate(made):
            watch(layer, partial(passed.append, (built[-1], tower)))
        return made

    monkeypatch.setattr(Feature, "head", head)
    case = Case(Feature())
    assert built == [0, 1, 2]
    torch.autograd.grad(case.graph.losses[1].mean(), case.graph.leaves(1), retain_graph=True, allow_unused=True)
    assert sorted(passed) == [(1, 0), (1, 1)]
    passed.clear()
    _ = case.signal.gradients
    each = [(place, tower) for place in range(TEACHERS) for tower in range(2)]
    assert sorted(passed) == each
    _ = case.signal.parameter_gramian  # goes on from where those gradients ended
    assert sorted(passed) == each


@pytest.mark.parametrize("objective", [RelationalKL(), Feature()])
def test_gradients_run_no_backward_through_the_student(objective: Objective) -> None:
    case = Case(objective)
    passed: list[str] = []
    for name, root in zip(("image", "text"), case.roots, strict=False):
        root.register_hook(lambda _, name=name: passed.append(name))  # type: ignore[no-untyped-call]
    _ = case.signal.gramian
    assert passed == []
    _ = case.signal.parameter_gramian
    assert sorted(passed) == ["image"] * TEACHERS + ["text"] * TEACHERS


@pytest.mark.parametrize("reading", READINGS)
def test_nothing_carries_a_gradient(reading: str) -> None:
    value = getattr(Case().signal, reading)
    for tensor in value if isinstance(value, tuple) else (value,):
        assert not tensor.requires_grad
        assert tensor.grad_fn is None


def test_reading_leaves_the_loss_ready_for_its_backward() -> None:
    """In any order, and without adding to the gradients that gather at the student's embeddings."""
    case = Case()
    for reading in READINGS:
        getattr(case.signal, reading)
    assert case.student.image.grad is None
    torch.stack(list(case.graph.losses)).mean().backward()  # type: ignore[no-untyped-call]
    gathered = torch.cat([part.grad.flatten() for part in (case.student.image, case.student.text) if part.grad is not None])
    torch.testing.assert_close(gathered, case.signal.gradients.mean(dim=0))
    for root in case.roots[:2]:
        root.sum().backward()  # type: ignore[no-untyped-call]


def test_values_are_those_of_the_contract() -> None:
    case = Case()
    signal = case.signal
    torch.testing.assert_close(
        signal.losses, torch.stack([case.losses(case.student, place) for place in range(TEACHERS)]).detach()
    )
    assert signal.embeddings.shape == (2, BATCH, WIDTH)
    torch.testing.assert_close(signal.embeddings[0], case.student.image.detach())
    torch.testing.assert_close(signal.embeddings[1], case.student.text.detach())
    scale = case.module.logit_scale.detach().exp()
    torch.testing.assert_close(
        signal.student_probs, torch.softmax(scale * case.student.image @ case.student.text.T, dim=1).detach()
    )
    assert signal.teacher_probs.shape == (TEACHERS, BATCH, BATCH)
    assert len(signal.teacher_embeddings) == TEACHERS
    for place, teacher in enumerate(case.teachers):
        torch.testing.assert_close(
            signal.teacher_probs[place], torch.softmax((3.0 + place) * teacher.image @ teacher.text.T, dim=1)
        )
        assert signal.teacher_embeddings[place].shape == (2, BATCH, WIDTH * (1 + place % 2))
        assert signal.teacher_embeddings[place][0].equal(teacher.image)
        assert signal.teacher_embeddings[place][1].equal(teacher.text)
    assert signal.teachers == ("a", "b", "c")
    assert signal.batch is case.batch
    assert signal.generator is case.generator


@pytest.mark.parametrize("reading", ["teacher_embeddings", "teacher_probs", "truth_losses"])
def test_what_needs_a_tower_that_a_teacher_lacks_is_refused_in_words(reading: str) -> None:
    case = Case()
    case.teachers[1] = replace(case.teachers[1], text=case.teachers[1].text[:, :0])
    with pytest.raises(PluginError, match=r"a teacher's \w+: found no text tower; expected both towers. Use strategies"):
        getattr(case.signal, reading)
    assert case.signal.losses.shape == (TEACHERS, BATCH)


def both_ways(scores: Tensor, concepts: Tensor) -> Tensor:
    """Cross-entropies against a uniform target over the pairs of one concept, averaged over both directions."""
    target = (concepts[:, None] == concepts).to(scores)
    target = target / target.sum(dim=1, keepdim=True)
    ways = [cross_entropy(s, target, reduction="none") for s in (scores, scores.T)]
    return (ways[0] + ways[1]) / 2


def test_truth_losses_and_task_losses_are_cross_entropies_both_ways() -> None:
    case = Case()
    for place, teacher in enumerate(case.teachers):
        scores = (3.0 + place) * teacher.image @ teacher.text.T
        torch.testing.assert_close(case.signal.truth_losses[place], both_ways(scores, CONCEPTS))
    scores = case.module.logit_scale.exp() * case.student.image @ case.student.text.T
    torch.testing.assert_close(case.signal.task_losses, both_ways(scores, CONCEPTS).detach())
    assert case.signal.task_losses.shape == (BATCH,)
