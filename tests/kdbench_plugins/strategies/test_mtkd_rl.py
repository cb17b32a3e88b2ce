"""`mtkd_rl` along short made-up runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import normalize

from kdbench import Signal
from kdbench.plugins.parameters import checked_params
from kdbench.storage import checkpoint
from kdbench.testing import Course, check_strategy
from kdbench_plugins.strategies.equal import Equal
from kdbench_plugins.strategies.mtkd_agent import Agent, Learner
from kdbench_plugins.strategies.mtkd_rl import MtkdRl, kdbench_strategies
from kdbench_plugins.strategies.mtkd_state import agent_loss, divergences, rewards_of
from tests.support.toys import bits

[OFFER] = kdbench_strategies()


def learner(strategy: MtkdRl) -> Learner:
    assert strategy.agent is not None
    return strategy.agent


def weights_of(strategy: MtkdRl) -> dict[str, bytes]:
    return bits(learner(strategy).module.state_dict())


@pytest.mark.parametrize("every", [1, 3, 10])
def test_the_properties_of_a_strategy(every: int) -> None:
    check_strategy(lambda: MtkdRl(every=every, lr=0.1), OFFER.waives, {"equal": Equal})


@pytest.mark.parametrize("teachers", [1, 2, 3, 5])
def test_weights_of_a_sample_sum_to_one(teachers: int) -> None:
    strategy, course = MtkdRl(every=2, lr=0.1), Course(teachers, epochs=3)
    for step in range(course.total):
        weights = strategy.weigh(course.signal(step))
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(dim=0), torch.ones(weights.shape[1:]), atol=2e-7, rtol=0)
        if (step + 1) % course.steps == 0:
            strategy.end_epoch(None)


@pytest.mark.parametrize("teachers", [2, 3, 5])
def test_the_first_epoch_is_equal_and_then_every_sample_has_weights_of_three_parts(teachers: int) -> None:
    strategy, course = MtkdRl(every=100), Course(teachers)
    for step in range(course.steps):
        assert (strategy.weigh(course.signal(step)) == 1 / torch.tensor(float(teachers))).all()
    strategy.end_epoch(None)
    for step in range(course.steps, 2 * course.steps):
        signal = course.signal(step)
        weights = strategy.weigh(signal)
        with torch.no_grad():
            head = learner(strategy).module(strategy.gathered[-1]["states"])
        unsure, unlike = (values.exp() for values in (signal.truth_losses.T, divergences(signal)))
        for b in range(course.batch_size):
            for t in range(teachers):
                parts = [head[b, t], (1 - unsure[b, t] / unsure[b].sum()) / (teachers - 1), unlike[b, t] / unlike[b].sum()]
                assert float(weights[t, b]) == pytest.approx(float(sum(parts)) / 3, rel=1e-5)
        expected = rewards_of(signal.task_losses + (weights * signal.losses).sum(dim=0))
        torch.testing.assert_close(strategy.gathered[-1]["rewards"], expected)


def test_rewards_of_the_first_epoch_are_those_of_equal_weights() -> None:
    strategy, signal = MtkdRl(), Course(3).signal(0)
    strategy.weigh(signal)
    expected = rewards_of(signal.task_losses + signal.losses.mean(dim=0))
    torch.testing.assert_close(strategy.gathered[0]["rewards"], expected)


def test_the_agent_rests_until_it_is_its_turn_and_then_takes_a_step_of_adam_for_each_batch() -> None:
    strategy, course = MtkdRl(every=3, lr=0.02), Course(3, epochs=1, steps=5)
    strategy.weigh(course.signal(0))
    begun = weights_of(strategy)
    reference = Agent(learner(strategy).module.get_parameter("hidden").shape[1], 3)
    reference.load_state_dict(learner(strategy).module.state_dict())
    optimizer = torch.optim.Adam(reference.parameters(), lr=0.02)

    def follow(batches: list[dict[str, Tensor]]) -> dict[str, bytes]:
        for batch in batches:
            optimizer.zero_grad()
            agent_loss(reference(batch["states"]), batch["given"], batch["rewards"]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return bits(reference.state_dict())

    strategy.weigh(course.signal(1))
    assert weights_of(strategy) == begun
    batches = list(strategy.gathered)
    strategy.weigh(course.signal(2))
    assert strategy.gathered == []
    shadow = MtkdRl(every=100, lr=0.02)
    for step in range(3):
        shadow.weigh(course.signal(step))
    for one, other in zip(batches, shadow.gathered[:2], strict=True):
        assert bits(one) == bits(other)
    assert weights_of(strategy) == follow(shadow.gathered) != begun
    strategy.weigh(course.signal(3))
    last = list(strategy.gathered)
    strategy.end_epoch(None)
    assert weights_of(strategy) == follow(last)
    assert strategy.gathered == []
    strategy.end_epoch(None)
    assert weights_of(strategy) == bits(reference.state_dict())


# What it learns


def signal_of(step: int, kl: list[Tensor], losses: Tensor | None = None) -> Signal:
    """Teachers whose rows are mixtures of the student's and of their opposite, by shares `kl` [B] for each teacher.

    All are as sure as each other. The student's losses vary from sample to sample.
    """
    batch, teachers = len(kl[0]), len(kl)
    generator = torch.Generator().manual_seed(step)
    student = torch.full((batch, batch), 0.02 / (batch - 1))
    student.fill_diagonal_(0.98)
    opposite = student.roll(1, dims=1)
    rows = torch.stack([(1 - share[:, None]) * student + share[:, None] * opposite for share in kl])
    found: Any = SimpleNamespace(
        losses=torch.stack(kl) * 5 if losses is None else losses,
        truth_losses=torch.ones(teachers, batch),
        task_losses=torch.rand(batch, generator=generator) if losses is None else torch.zeros(batch),
        teacher_probs=rows,
        student_probs=student,
        embeddings=normalize(torch.randn(2, batch, 4, generator=generator), dim=2),
        teacher_embeddings=tuple(normalize(torch.randn(2, batch, 3, generator=generator), dim=2) for _ in range(teachers)),
        teachers=tuple(f"teacher{place}" for place in range(teachers)),
        generator=generator,
    )
    signal: Signal = found
    return signal


def test_a_teacher_of_far_lower_loss_gains_in_the_agents_eyes() -> None:
    """The KL part gives it next to nothing, and the agent learns to give that back, which makes weights more equal."""
    strategy = MtkdRl(every=5, lr=3e-3)
    easy, hard = torch.zeros(16), torch.ones(16)
    spreads = []
    for step in range(400):
        if step == 1:
            strategy.end_epoch(None)
        weights = strategy.weigh(signal_of(step, [easy, hard, hard]))
        spreads.append(float(weights.mean(dim=1).max() - weights.mean(dim=1).min()))
        if step in (1, 399):
            shown = strategy.report()
            heads = [shown[f"head/teacher{place}"] for place in range(3)]
            if step == 1:
                assert heads[0] < 0.5
    assert heads[0] > 0.6
    assert max(heads[1:]) < 0.25
    assert spreads[-1] < 0.2 * spreads[1]


def test_what_it_learns_is_a_samples_own() -> None:
    """Teacher 0 is near the student on one half of the samples, teacher 1 on the other."""
    strategy = MtkdRl(every=5, lr=3e-3)
    near = torch.arange(16) < 8
    for step in range(401):
        strategy.weigh(signal_of(step, [(~near).float(), near.float()]))
    with torch.no_grad():
        head = learner(strategy).module(strategy.gathered[-1]["states"])
    assert head[near, 0].min() > 0.7
    assert head[~near, 1].min() > 0.7


def test_nothing_is_learned_where_nobody_is_rewarded() -> None:
    strategy = MtkdRl(every=1)
    shares = [torch.zeros(8), torch.ones(8)]
    strategy.weigh(signal_of(0, shares, torch.ones(2, 8)))
    before = weights_of(strategy)
    for step in range(5):
        strategy.weigh(signal_of(step, shares, torch.full((2, 8), float(step))))
    assert weights_of(strategy) == before


def test_losses_that_are_not_finite_leave_the_agent_as_it_was() -> None:
    strategy = MtkdRl(every=1)
    shares = [torch.zeros(8), torch.ones(8)]
    strategy.weigh(signal_of(0, shares, torch.ones(2, 8)))
    before = weights_of(strategy)
    weights = strategy.weigh(signal_of(1, shares, torch.full((2, 8), torch.inf)))
    assert torch.isfinite(weights).all()
    assert weights_of(strategy) == before


# What it keeps


@pytest.mark.parametrize("at", range(1, 9))
def test_a_run_goes_on_bit_for_bit_through_a_file(at: int, tmp_path: Path) -> None:
    """Also where an epoch ends before anything is weighed again."""
    course = Course(3, epochs=3, steps=4)

    def go(strategy: MtkdRl, first: int, last: int) -> list[bytes]:
        found = []
        for step in range(first, last):
            if step and step % course.steps == 0:
                strategy.end_epoch(None)
            found.append(strategy.weigh(course.signal(step)).numpy().tobytes())
        return found

    whole = MtkdRl(every=3, lr=0.05)
    expected = go(whole, 0, 12)
    begun = MtkdRl(every=3, lr=0.05)
    go(begun, 0, at)
    checkpoint.save(tmp_path / "state", begun.state_dict())
    go(begun, at, 12)  # what was saved must not change with it
    fresh = MtkdRl(every=3, lr=0.05)
    saved: Any = checkpoint.load(tmp_path / "state")
    fresh.load_state_dict(saved)
    assert go(fresh, at, 12) == expected[at:]
    assert weights_of(fresh) == weights_of(whole)
    assert fresh.report() == whole.report()


def test_a_state_handed_over_in_memory_is_a_copy() -> None:
    course = Course(3, epochs=1, steps=6)
    first, second = MtkdRl(every=2, lr=0.05), MtkdRl(every=2, lr=0.05)
    for step in range(3):
        first.weigh(course.signal(step))
    second.load_state_dict(first.state_dict())
    for step in range(3, 6):
        first.weigh(course.signal(step))
    for step in range(3, 6):
        second.weigh(course.signal(step))
    assert weights_of(first) == weights_of(second)


def test_a_strategy_that_has_not_weighed_has_a_state_too() -> None:
    fresh = MtkdRl()
    fresh.load_state_dict(MtkdRl().state_dict())
    signal = Course(2).signal(0)
    assert fresh.weigh(signal).equal(MtkdRl().weigh(Course(2).signal(0)))
    assert MtkdRl().report() == {}


def test_memory_is_let_go_at_every_update() -> None:
    strategy, course = MtkdRl(every=4), Course(2, epochs=1, steps=20)
    kept = []
    for step in range(9):
        strategy.weigh(course.signal(step))
        kept.append(len(strategy.gathered))
    assert kept == [1, 2, 3, 0, 1, 2, 3, 0, 1]
    widths = [embeddings.shape[2] for embeddings in course.signal(0).teacher_embeddings]
    states = sum(3 + 2 * width + course.batch_size for width in widths)
    assert strategy.gathered[0]["states"].shape == (course.batch_size, states)


def test_parameters() -> None:
    assert checked_params(OFFER, {}) == {"lr": 1e-3, "map_lr": 1e-3, "every": 10}
    for wrong in ({"every": 0}, {"lr": 0.0}, {"map_lr": -1.0}):
        with pytest.raises(ValidationError):
            checked_params(OFFER, wrong)
