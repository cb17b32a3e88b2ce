"""`meta` against autograd through a virtual step, and its network against MMKD's written out."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor

from kdbench import Batch, Pairs, Signal
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.testing.retrieval.signals import Course
from kdbench_plugins.strategies.meta import Meta, agreements, missed

COURSE = Course(3, batch_size=8)
SCALE = 10.0  # of the course's student


def states(strategy: Meta) -> dict[str, Tensor]:
    assert strategy.network is not None
    return {name: value.clone() for name, value in strategy.network.module.state_dict().items()}


def test_agreements_are_the_derivative_of_the_task_loss_after_a_virtual_step() -> None:
    signal = COURSE.signal(3)
    z, batch = signal.embeddings.double(), cast(Batch, signal.batch)
    gradients = signal.gradients.double().view(3, *z.shape)  # [T, 2, B, d]
    weights = torch.zeros(3, 8, dtype=torch.float64, requires_grad=True)
    moved = z - (weights[:, None, :, None] * gradients).sum(dim=0)
    loss = pair_losses(Pairs(moved[0], moved[1], SCALE), batch.same).mean()
    (slope,) = torch.autograd.grad(loss, weights)
    torch.testing.assert_close(agreements(signal), -slope, rtol=1e-4, atol=1e-9)
    assert (slope > 0).any()
    assert (slope < 0).any()


def test_missed_are_samples_whose_first_candidate_is_of_another_concept() -> None:
    probs = torch.tensor([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.5, 0.2, 0.3]])

    class Seen:
        student_probs = probs
        batch = Batch(torch.arange(3), torch.arange(3), torch.tensor([0, 1, 0]), 0.0)

    assert missed(cast(Signal, Seen())).tolist() == [0, 1, 0]


def test_the_network_is_mmkds_and_learns_by_adam() -> None:
    """Linear to half the width, ReLU, linear, softmax; a step on minus the agreements over their mean size."""
    strategy, signal = Meta(lr=0.01, every=2, candidates=3, hard=False), COURSE.signal(3)
    strategy.steps = 1
    found = strategy.weigh(signal)
    leaves = {name: value.requires_grad_() for name, value in states(strategy).items()}
    rows = []
    for probs in (*signal.teacher_probs, signal.student_probs):
        others = torch.stack([torch.cat([row[:i], row[i + 1 :]]) for i, row in enumerate(probs)])
        rows += [probs.diagonal()[:, None], others.sort(dim=1, descending=True).values[:, :3]]
    hidden = (torch.cat(rows, dim=1) @ leaves["0.weight"].T + leaves["0.bias"]).relu()
    assert hidden.shape == (8, (3 + 1) * (1 + 3) // 2)
    weights = (hidden @ leaves["2.weight"].T + leaves["2.bias"]).softmax(dim=1)
    torch.testing.assert_close(found, weights.T.detach())
    counted = agreements(signal)
    adam = torch.optim.Adam(leaves.values(), lr=0.01, weight_decay=1e-4)
    (-(weights * (counted / counted.abs().mean()).T.float()).sum(dim=1).mean()).backward()  # type: ignore[no-untyped-call]
    adam.step()
    strategy.weigh(signal)
    for name, value in states(strategy).items():
        torch.testing.assert_close(value, leaves[name].detach())


def test_weights_move_to_the_teachers_that_agree_with_the_task() -> None:
    strategy, signal = Meta(lr=0.005, every=1, hard=False), COURSE.signal(0)
    given = agreements(signal)
    for _ in range(300):
        weights = strategy.weigh(signal)
    reached, of_one, attainable = ((given * weights).sum(), given.sum(dim=1).max(), given.max(dim=0).values.sum())
    assert reached > of_one
    assert reached > 0.9 * attainable


@pytest.mark.parametrize(("every", "changes"), [(1, [1, 1, 1, 1]), (3, [0, 0, 1, 0])])
def test_it_learns_every_few_steps(every: int, changes: list[int]) -> None:
    strategy = Meta(every=every, hard=False)
    strategy.weigh(COURSE.signal(0))
    found = []
    for step in range(1, 5):
        before = states(strategy)
        strategy.weigh(COURSE.signal(step))
        found.append(int(any(not torch.equal(value, before[name]) for name, value in states(strategy).items())))
    assert found == changes


def test_only_missed_samples_teach_if_hard() -> None:
    signal: Any = COURSE.signal(0)
    vars(signal)["student_probs"] = torch.eye(8)  # none is missed
    strategy = Meta(every=1)
    strategy.weigh(signal)
    before = states(strategy)
    strategy.weigh(signal)
    assert all(torch.equal(value, before[name]) for name, value in states(strategy).items())
    vars(signal)["student_probs"] = torch.eye(8).roll(2, dims=1)  # the course has two pairs a concept: nearly all are missed
    strategy.weigh(signal)
    assert any(not torch.equal(value, before[name]) for name, value in states(strategy).items())
