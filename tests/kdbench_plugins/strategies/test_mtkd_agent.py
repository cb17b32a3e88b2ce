"""The networks of `mtkd_rl` and what they see, against loops, finite differences and autograd."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from kdbench_plugins.strategies.mtkd_agent import HIDDEN, Agent, Learner, Maps, drawn
from kdbench_plugins.strategies.mtkd_state import (
    agent_loss,
    divergences,
    given_weights,
    own_pair_first,
    rewards_of,
    states_of,
)
from tests.support.toys import bits

BATCH, TEACHERS, STATES = 5, 3, 7


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def rows(*shape: int, seed: int = 0) -> Tensor:
    return (2 * noise(*shape, seed=seed)).softmax(dim=-1)


# Networks


@torch.no_grad()
def test_the_agent_against_loops() -> None:
    agent = drawn(Agent(STATES, TEACHERS).double(), generator())
    states = noise(BATCH, STATES)
    found = agent(states)
    assert isinstance(agent, Agent)
    for b in range(BATCH):
        hidden = [max(0.0, float(agent.hidden[k] @ states[b])) for k in range(HIDDEN)]
        logits = [math.fsum(w * h for w, h in zip(agent.head[t].tolist(), hidden, strict=True)) for t in range(TEACHERS)]
        odds = [math.exp(logit + float(agent.bias[t])) for t, logit in enumerate(logits)]
        assert found[b].tolist() == pytest.approx([odd / sum(odds) for odd in odds], rel=1e-12)


@torch.no_grad()
def test_cosines_against_loops() -> None:
    student, teachers = noise(2, BATCH, 4), [noise(2, BATCH, width, seed=width) for width in (3, 6)]
    maps = drawn(Maps([(2, 3, 4), (2, 6, 4)]).double(), generator())
    assert isinstance(maps, Maps)
    found = maps(student, teachers)
    assert found.shape == (BATCH, 2)
    for t, teacher in enumerate(teachers):
        for b in range(BATCH):
            cosines = []
            for modality in range(2):
                image = maps.maps[t][modality] @ student[modality, b]
                cosines.append(float(image @ teacher[modality, b] / image.norm() / teacher[modality, b].norm()))
            assert float(found[b, t]) == pytest.approx(sum(cosines) / 2, rel=1e-12)


def test_maps_learn_to_imitate() -> None:
    """Where a teacher is a linear map of the student, the cosine goes to one."""
    student = normalize(noise(2, 40, 6).float(), dim=2)
    teachers = [normalize(student @ noise(6, width, seed=width).float(), dim=2) for width in (4, 8)]
    maps = Learner(drawn(Maps([(2, 4, 6), (2, 8, 6)]), generator()), 0.05)
    assert maps.module(student, teachers).max() < 0.95
    for _ in range(200):
        maps.step(-maps.module(student, teachers).mean())
    assert maps.module(student, teachers).min() > 0.98


def test_weights_are_drawn_as_a_linear_layers_are_and_from_the_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    agent, again, other = (drawn(Agent(400, TEACHERS), generator(seed)) for seed in (1, 1, 2))
    assert torch.get_rng_state().equal(before)
    assert bits(agent.state_dict()) == bits(again.state_dict())
    assert not set(bits(agent.state_dict()).values()) & set(bits(other.state_dict()).values())
    shapes = {name: tuple(value.shape) for name, value in agent.named_parameters()}
    assert shapes == {"hidden": (HIDDEN, 400), "head": (TEACHERS, HIDDEN), "bias": (TEACHERS,)}
    for name, inputs in (("hidden", 400), ("head", HIDDEN)):
        weight = agent.get_parameter(name)
        assert weight.abs().max() <= inputs**-0.5
        assert float(weight.detach().std()) == pytest.approx(inputs**-0.5 / math.sqrt(3), rel=0.1)


def test_a_learner_goes_on_where_its_copy_left_off() -> None:
    def loss(learner: Learner, step: int) -> Tensor:
        found: Tensor = learner.module(noise(BATCH, STATES, seed=step).float())[:, 0].log().mean()
        return found

    first = Learner(drawn(Agent(STATES, TEACHERS), generator()), 0.01)
    for step in range(3):
        first.step(loss(first, step))
    saved = first.state_dict()
    kept = bits(saved["weights"])
    second = Learner(Agent(STATES, TEACHERS), 0.01)
    second.load_state_dict(saved)
    for step in range(3, 6):
        first.step(loss(first, step))
        second.step(loss(second, step))
    assert bits(saved["weights"]) == kept, "further steps have changed what was saved"
    assert bits(first.module.state_dict()) == bits(second.module.state_dict())


# What the agent sees


def test_divergences_against_loops() -> None:
    teachers, student = rows(TEACHERS, BATCH, BATCH), rows(BATCH, BATCH, seed=1)
    signal: Any = SimpleNamespace(teacher_probs=teachers, student_probs=student)
    found = divergences(signal)
    assert found.shape == (BATCH, TEACHERS)
    for t in range(TEACHERS):
        for b in range(BATCH):
            terms = [p * math.log(p / q) for p, q in zip(teachers[t, b].tolist(), student[b].tolist(), strict=True)]
            assert float(found[b, t]) == pytest.approx(math.fsum(terms), abs=1e-12)


def test_divergences_are_zero_of_equals_and_finite_where_the_student_is_sure_and_wrong() -> None:
    teachers, student = rows(1, BATCH, BATCH).float(), torch.eye(BATCH).roll(1, dims=1)
    equal: Any = SimpleNamespace(teacher_probs=teachers, student_probs=teachers[0])
    wrong: Any = SimpleNamespace(teacher_probs=torch.eye(BATCH)[None], student_probs=student)
    assert divergences(equal).tolist() == [[0.0]] * BATCH
    assert torch.isfinite(divergences(wrong)).all()
    assert divergences(wrong).min() > 80


def test_rows_begin_with_the_own_pair_and_do_not_depend_on_the_order_of_the_batch() -> None:
    probs = rows(TEACHERS, BATCH, BATCH)
    found = own_pair_first(probs)
    for t in range(TEACHERS):
        for b in range(BATCH):
            own, others = float(probs[t, b, b]), [float(probs[t, b, other]) for other in range(BATCH) if other != b]
            assert found[t, b].tolist() == [own, *sorted(others, reverse=True)]
    order = torch.tensor([3, 0, 4, 1, 2])
    assert own_pair_first(probs[:, order][:, :, order]).equal(found[:, order])


def test_states_are_every_teachers_one_after_another() -> None:
    embeddings = tuple(noise(2, BATCH, width, seed=width) for width in (3, 6))
    probs, losses, cosines, kl = rows(2, BATCH, BATCH), noise(2, BATCH), noise(BATCH, 2, seed=1), noise(BATCH, 2, seed=2)
    signal: Any = SimpleNamespace(teacher_probs=probs, truth_losses=losses, teacher_embeddings=embeddings)
    found = states_of(signal, cosines, kl)
    assert (found.dtype, found.shape) == (torch.float32, (BATCH, 2 * (3 + BATCH) + 2 * 3 + 2 * 6))
    for b in range(BATCH):
        expected: list[float] = []
        for t in range(2):
            expected += [float(cosines[b, t]), float(kl[b, t]), float(losses[t, b])]
            expected += [*embeddings[t][0, b].tolist(), *embeddings[t][1, b].tolist(), *own_pair_first(probs)[t, b].tolist()]
        assert found[b].tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("teachers", [2, 3, 5])
def test_given_weights_against_loops(teachers: int) -> None:
    losses, kl = noise(BATCH, teachers).abs(), noise(BATCH, teachers, seed=1).abs()
    found = given_weights(losses, kl)
    for b in range(BATCH):
        unsure, unlike = ([math.exp(float(value)) for value in part[b]] for part in (losses, kl))
        for t in range(teachers):
            expected = (1 - unsure[t] / sum(unsure)) / (teachers - 1) + unlike[t] / sum(unlike)
            assert float(found[b, t]) == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(found.sum(dim=1), torch.full((BATCH,), 2.0, dtype=torch.float64))


# What it learns from


def test_rewards_are_clamped_z_scores() -> None:
    losses = noise(50).abs()
    found = rewards_of(losses).tolist()
    mean = math.fsum(losses.tolist()) / 50
    deviation = math.sqrt(math.fsum((loss - mean) ** 2 for loss in losses.tolist()) / 49)
    assert found == pytest.approx([min(1.0, max(0.0, (mean - loss) / deviation)) for loss in losses.tolist()])
    assert min(found) == 0
    assert max(found) == 1


def test_rewards_do_not_mind_the_losses_size() -> None:
    losses = noise(20).abs()
    for size in (1e-8, 1e8):
        torch.testing.assert_close(rewards_of(size * losses), rewards_of(losses))
    torch.testing.assert_close(rewards_of(losses + 5), rewards_of(losses))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8, math.nan, math.inf])
@pytest.mark.parametrize("count", [1, 6, 7])
def test_nobody_is_rewarded_where_all_are_equal_or_not_finite(value: float, count: int) -> None:
    assert rewards_of(torch.full((count,), value)).tolist() == [0.0] * count
    assert rewards_of(torch.tensor([1.0, 2.0, math.nan])).tolist() == [0.0] * 3


def test_the_loss_and_its_gradient_against_loops() -> None:
    head, given, rewards = rows(BATCH, TEACHERS).requires_grad_(), given_weights(noise(BATCH, 3), noise(BATCH, 3)), rows(BATCH)
    loss = agent_loss(head, given, rewards)
    weights = [[(float(head.detach()[b, t]) + float(given[b, t])) / 3 for t in range(TEACHERS)] for b in range(BATCH)]
    terms = [-float(rewards[b]) * math.log(weight) for b in range(BATCH) for weight in weights[b]]
    assert float(loss.detach()) == pytest.approx(math.fsum(terms) / (BATCH * TEACHERS), rel=1e-12)
    [gradient] = torch.autograd.grad(loss, [head])
    for b in range(BATCH):
        expected = [-float(rewards[b]) / (3 * weight) / (BATCH * TEACHERS) for weight in weights[b]]
        assert gradient[b].tolist() == pytest.approx(expected, rel=1e-12)


def test_the_agents_gradient_against_finite_differences() -> None:
    agent = drawn(Agent(STATES, TEACHERS).double(), generator())
    states, given, rewards = noise(BATCH, STATES), given_weights(noise(BATCH, 3), noise(BATCH, 3, seed=1)), rows(BATCH)
    agent_loss(agent(states), given, rewards).backward()  # type: ignore[no-untyped-call]
    step = 1e-6
    with torch.no_grad():
        for name, parameter in agent.named_parameters():
            assert parameter.grad is not None
            flat, gradient = parameter.view(-1), parameter.grad.view(-1)
            for place in range(0, len(flat), 1 if name == "bias" else 29):
                values = []
                for sign in (1, -1):
                    flat[place] += sign * step
                    values.append(float(agent_loss(agent(states), given, rewards)))
                    flat[place] -= sign * step
                assert (values[0] - values[1]) / (2 * step) == pytest.approx(float(gradient[place]), rel=1e-5, abs=1e-10)


def test_weights_of_zero_give_a_finite_loss() -> None:
    head = torch.tensor([[1.0, 0.0]]).requires_grad_()
    loss = agent_loss(head, torch.tensor([[2.0, 0.0]]), torch.ones(1))
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert head.grad is not None
    assert torch.isfinite(head.grad).all()
