"""`whiten_mtd` and the fused `relational_kl` against the loss of Whiten-MTD's code, written out, and in a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn.functional import kl_div

from kdbench import Batch, Pairs, PluginError, Strategy
from kdbench.tasks.retrieval import Retrieval
from kdbench.training.signal import Graph, StepSignal
from kdbench.training.step import Teaching, backward
from kdbench.training.team import Team
from kdbench_plugins.objectives.feature import Feature
from kdbench_plugins.objectives.relational_kl import RelationalKL
from kdbench_plugins.strategies.whiten_mtd import WhitenMtd
from tests.support.toys import batch_of, pairs_with, random_pairs, team_teacher

B, T = 5, 3
UNIQUE = batch_of(torch.arange(B))
Others = Literal["min", "mean", "random"]


def made(seed: int = 0) -> tuple[Pairs, list[Pairs]]:
    student = random_pairs(B, 4, scale=3.0, seed=seed, learn=True)
    return student, [random_pairs(B, 4 + t, scale=5.0 + t, seed=seed + 10 + t) for t in range(T)]


def signal_of(student: Pairs, teachers: Sequence[Pairs], batch: Batch = UNIQUE) -> StepSignal:
    losses = [RelationalKL().losses(student, teacher, None, batch) for teacher in teachers]
    graph, names = Graph(losses, student, [[] for _ in teachers]), [f"t{t}" for t in range(len(teachers))]
    return StepSignal(Retrieval(), graph, teachers, names, batch, losses[0], torch.Generator().manual_seed(3))


def fused_by_the_paper(sims: Tensor, others: Others) -> Tensor:
    """s_maxmin and s_maxmean of the authors' code: the maximum on the diagonal, the minimum or mean elsewhere."""
    elsewhere = sims.min(dim=0).values if others == "min" else sims.mean(dim=0)
    return torch.where(torch.eye(B, dtype=torch.bool), sims.max(dim=0).values, elsewhere)


@pytest.mark.parametrize("others", ["min", "mean"])
def test_the_loss_is_that_of_the_papers_code(others: Others) -> None:
    student, teachers = made()
    weights = WhitenMtd(others=others).weigh(signal_of(student, teachers))
    found = 2 * RelationalKL(scale=20.0).fused_losses(student, teachers, weights, UNIQUE).mean()
    own = student.image @ student.text.T
    aim = fused_by_the_paper(torch.stack([teacher.image @ teacher.text.T for teacher in teachers]), others)
    ways = [
        kl_div((s / 0.05).log_softmax(dim=-1), (t / 0.05).softmax(dim=-1), reduction="batchmean")
        for s, t in ((own, aim), (own.T, aim.T))
    ]
    expected = ways[0] + ways[1]
    torch.testing.assert_close(found, expected)
    leaves = [student.image, student.text]
    for ours, theirs in zip(torch.autograd.grad(found, leaves), torch.autograd.grad(expected, leaves), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_random_takes_one_teacher_for_each_pair_and_the_best_of_true_pairs() -> None:
    student, teachers = made()
    sims = torch.stack([teacher.image @ teacher.text.T for teacher in teachers])
    weights = WhitenMtd(others="random").weigh(signal_of(student, teachers))
    assert set(weights.flatten().tolist()) == {0.0, 1.0}
    assert (weights.sum(dim=0) == 1).all()
    assert torch.equal(weights.argmax(dim=0).diagonal(), sims.argmax(dim=0).diagonal())
    assert len(set(weights.argmax(dim=0).flatten().tolist())) == T


def test_pairs_of_one_concept_are_true_pairs() -> None:
    student, teachers = made()
    batch = batch_of(torch.tensor([0, 1, 0, 2, 1]))
    sims = torch.stack([teacher.image @ teacher.text.T for teacher in teachers])
    fused = (WhitenMtd().weigh(signal_of(student, teachers, batch)) * sims).sum(dim=0)
    assert torch.equal(fused, torch.where(batch.same, sims.max(dim=0).values, sims.min(dim=0).values))


@pytest.mark.parametrize("t", range(T))
def test_all_weight_on_one_teacher_is_distillation_from_it(t: int) -> None:
    student, teachers = made()
    weights = torch.zeros(T, B, B)
    weights[t] = 1.0
    for objective in (RelationalKL(temperature=2.0), RelationalKL(standardize=True), RelationalKL(scale=7.0)):
        found = objective.fused_losses(student, teachers, weights, UNIQUE)
        torch.testing.assert_close(found, objective.losses(student, teachers[t], None, UNIQUE))


class Given:
    def __init__(self, weights: Tensor) -> None:
        self.weights = weights

    def weigh(self, signal: Any) -> Tensor:  # noqa: ARG002
        return self.weights


def stepped(terms: Sequence[tuple[float, Any]], strategy: Strategy) -> tuple[Any, list[Tensor], Team, list[Pairs]]:
    """One step at leaves in place of a student: its result and their gradients."""
    student = random_pairs(B, 4, learn=True, seed=1)
    team = Team([team_teacher(name, width=4 + t, seed=t) for t, name in enumerate("abc")], terms, 4, 0, "cpu")
    views = [rows.detach().float().requires_grad_() for rows in student.tensors]
    teachers = team.outputs(UNIQUE)
    teaching = Teaching(team, teachers, strategy, 0.7, torch.Generator())
    result = backward(Retrieval(), [view * 1 for view in views], pairs_with(6.0), UNIQUE, teaching)
    return result, [view.grad for view in views if view.grad is not None], team, teachers


def test_a_step_learns_from_the_fused_target() -> None:
    weights = torch.rand(T, B, B).softmax(dim=0)
    objective = RelationalKL()
    result, found, _, teachers = stepped([(0.5, objective)], Given(weights))
    assert torch.equal(result.weights, weights)
    student = random_pairs(B, 4, seed=1)
    leaves = [student.image.float().requires_grad_(), student.text.float().requires_grad_()]
    own = Pairs(leaves[0], leaves[1], 6.0)
    fused = sum(w * (t.scale * t.image @ t.text.T) for w, t in zip(weights, teachers, strict=True))
    logits = 6.0 * own.image @ own.text.T
    kl = [
        kl_div(s.log_softmax(dim=1), f.softmax(dim=1), reduction="batchmean") for s, f in ((logits, fused), (logits.T, fused.T))
    ]
    loss = Retrieval().losses(own, UNIQUE).mean() + 0.7 * 0.5 * (kl[0] + kl[1]) / 2
    torch.testing.assert_close(result.loss, loss.detach())
    for ours, theirs in zip(found, torch.autograd.grad(loss, leaves), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_an_objective_that_cannot_fuse_logits_is_refused() -> None:
    with pytest.raises(PluginError, match=r"Feature\.fused_losses: found nothing, beside a strategy that weighs pairs"):
        stepped([(1.0, RelationalKL()), (1.0, Feature())], WhitenMtd())


def test_weights_of_every_pair_must_sum_to_one() -> None:
    weights = torch.full((T, B, B), 1 / T)
    weights[:, 2, 4] = torch.tensor([0.5, 0.4, 0.3])
    with pytest.raises(PluginError, match=r"Given\.weigh: found \[0\.5, 0\.4, 0\.3\], expected a sum of 1"):
        stepped([(1.0, RelationalKL())], Given(weights))
    with pytest.raises(PluginError, match=r"found shape \[3, 5, 4\], expected \[3\] or \[3, 5\] or \[3, 5, 5\]"):
        stepped([(1.0, RelationalKL())], Given(weights[:, :, 1:]))
