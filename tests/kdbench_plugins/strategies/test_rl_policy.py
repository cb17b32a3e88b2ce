"""The policy of `rl_select`: against loops, and REINFORCE against all actions there are."""

from __future__ import annotations

from itertools import product
from math import exp, log

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from kdbench_plugins.strategies.rl_policy import (
    drawn,
    features,
    policy_gradient,
    rewards,
    selected_losses,
    selection_probs,
    selection_weights,
)

TEACHERS, BATCH, WIDTH = 3, 2, 4
ACTIONS = [torch.tensor(given, dtype=torch.float64).view(TEACHERS, BATCH) for given in product((0, 1), repeat=TEACHERS * BATCH)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


A, b = normal(TEACHERS, WIDTH, seed=1), normal(TEACHERS, seed=2)
F = normal(TEACHERS, BATCH, WIDTH, seed=3)
LOSSES = normal(TEACHERS, BATCH, seed=4).exp()


def reward_of(actions: Tensor) -> Tensor:
    return rewards("r2", 0.7, selected_losses(LOSSES, actions), 0.0, 0.5)


def chance_of(actions: Tensor, probs: Tensor) -> Tensor:
    return torch.where(actions > 0, probs, 1 - probs).prod()


# Features


def signal_parts(batch: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    return (
        normal(2, batch, 5, seed=seed),
        normal(TEACHERS, batch, batch, seed=seed + 1).softmax(dim=2),
        normal(TEACHERS, batch, seed=seed + 2).exp(),
    )


def test_features_in_plain_loops() -> None:
    embeddings, probs, truth_losses = signal_parts(4)
    found = features(embeddings, probs, truth_losses)
    assert found.shape == (TEACHERS, 4, 2 * 5 + 4 + 1)
    for t in range(TEACHERS):
        for i in range(4):
            row = probs[t, i].tolist()
            own = row.pop(i)
            loss = float(truth_losses[t, i])
            expected = [*embeddings[0, i].tolist(), *embeddings[1, i].tolist(), own, *sorted(row, reverse=True)]
            assert found[t, i].tolist() == pytest.approx([*expected, loss / (loss + log(4))], abs=1e-12)


def test_a_sample_has_the_same_features_wherever_it_stands_in_the_batch() -> None:
    embeddings, probs, truth_losses = signal_parts(5)
    order = torch.tensor([3, 1, 4, 0, 2])
    moved = features(embeddings[:, order], probs[:, order][:, :, order], truth_losses[:, order])
    assert moved.equal(features(embeddings, probs, truth_losses)[:, order])


def test_the_cross_entropy_is_half_at_a_uniform_guess_and_never_more_than_1() -> None:
    embeddings, probs, _ = signal_parts(8)
    losses = torch.tensor([0.0, 0.1, log(8), 5.0, 20.0, 50.0, 1e3, 1e9], dtype=torch.float64).expand(TEACHERS, 8)
    found = features(embeddings, probs, losses)[0, :, -1]
    assert found[0] == 0
    assert found[2] == pytest.approx(0.5)
    assert (found.diff() > 0).all()
    assert found[-1] <= 1


def test_a_batch_of_one_has_features() -> None:
    found = features(normal(2, 1, 3), torch.ones(2, 1, 1, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64))
    assert found[:, :, 6:].tolist() == [[[1.0, 0.0]]] * 2


# Selection


def test_probabilities_in_plain_loops() -> None:
    found = selection_probs(A, b, F)
    for t in range(TEACHERS):
        for i in range(BATCH):
            score = sum(float(x) * float(y) for x, y in zip(A[t], F[t, i], strict=True)) + float(b[t])
            assert float(found[t, i]) == pytest.approx(1 / (1 + exp(-score)), rel=1e-12)


def test_an_infinite_bias_selects_always() -> None:
    probs = selection_probs(A, torch.full((TEACHERS,), float("inf"), dtype=torch.float64), 100 * F)
    assert (probs == 1).all()
    assert (drawn(probs.expand(500, -1, -1), generator()) == 1).all()
    assert (drawn(torch.zeros(500), generator()) == 0).all()


@pytest.mark.parametrize("prob", [0.1, 0.5, 0.9])
def test_actions_are_drawn_with_their_probabilities_and_apart(prob: float) -> None:
    count = 20000
    found = drawn(torch.full((2, count), prob, dtype=torch.float64), generator())
    assert ((found == 0) | (found == 1)).all()
    error = (prob * (1 - prob) / count) ** 0.5
    assert (found.mean(dim=1) - prob).abs().max() < 4 * error
    together = float((found[0] * found[1]).mean())
    assert abs(together - prob**2) < 4 * (prob**2 * (1 - prob**2) / count) ** 0.5


def test_draws_come_from_the_generator_given_alone() -> None:
    probs = torch.full((4, 50), 0.5)
    first = drawn(probs, generator(3))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert drawn(probs, generator(3)).equal(first)
    assert torch.get_rng_state().equal(before)
    assert not drawn(probs, generator(4)).equal(first)


def test_weights_of_all_selections() -> None:
    for actions in ACTIONS:
        found = selection_weights(actions)
        assert found.dtype == torch.float64
        for i in range(BATCH):
            chosen = [t for t in range(TEACHERS) if actions[t, i]] or list(range(TEACHERS))
            assert found[:, i].tolist() == [1 / len(chosen) if t in chosen else 0.0 for t in range(TEACHERS)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_on_is_1_over_t_to_the_last_bit(dtype: torch.dtype) -> None:
    for teachers in range(1, 200):
        equal = torch.zeros(1, dtype=dtype).new_full((teachers, 2), 1 / teachers)
        assert selection_weights(torch.ones(teachers, 2, dtype=dtype)).to(dtype).equal(equal)
        assert selection_weights(torch.zeros(teachers, 2, dtype=dtype)).to(dtype).equal(equal)


def test_losses_of_all_selections() -> None:
    for actions in ACTIONS:
        found = selected_losses(LOSSES, actions)
        for i in range(BATCH):
            chosen = [float(LOSSES[t, i]) for t in range(TEACHERS) if actions[t, i]] or LOSSES[:, i].tolist()
            assert float(found[i]) == pytest.approx(sum(chosen) / len(chosen), rel=1e-12)


def test_rewards() -> None:
    kd_losses = torch.tensor([2.0, 3.0])
    assert rewards("r1", 1.5, kd_losses, 0.4, 0.25).tolist() == [-1.5, -1.5]
    assert rewards("r2", 1.5, kd_losses, 0.4, 0.25).tolist() == [-3.5, -4.5]
    assert rewards("r3", 1.5, kd_losses, 0.4, 0.25).tolist() == pytest.approx([-3.5 / 4 + 0.3, -4.5 / 4 + 0.3])
    assert rewards("r3", 1.5, kd_losses, 0.4, 1.0).equal(rewards("r2", 1.5, kd_losses, 0.4, 1.0))


# REINFORCE


def test_an_estimate_is_the_gradient_of_advantage_times_log_probability() -> None:
    leaves = A.clone().requires_grad_(), b.clone().requires_grad_()
    advantages = normal(BATCH, seed=9)
    for actions in ACTIONS[::7]:
        scores = torch.einsum("tn,tbn->tb", leaves[0], F) + leaves[1][:, None]
        log_probs = -binary_cross_entropy_with_logits(scores, actions, reduction="none").sum(dim=0)
        expected = torch.autograd.grad((advantages * log_probs).mean(), leaves)
        found = policy_gradient(advantages, actions, selection_probs(A, b, F), F)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def expected_estimate(baseline: float) -> tuple[Tensor, Tensor]:
    """The mean of REINFORCE's estimate over all actions."""
    probs = selection_probs(A, b, F)
    parts = [
        [chance_of(actions, probs) * part for part in policy_gradient(reward_of(actions) - baseline, actions, probs, F)]
        for actions in ACTIONS
    ]
    return torch.stack([part[0] for part in parts]).sum(dim=0), torch.stack([part[1] for part in parts]).sum(dim=0)


def exact_gradient() -> tuple[Tensor, ...]:
    """Autograd's, of the expected mean reward over all actions."""
    leaves = A.clone().requires_grad_(), b.clone().requires_grad_()
    probs = selection_probs(*leaves, F)
    expectation = torch.stack([chance_of(actions, probs) * reward_of(actions).mean() for actions in ACTIONS]).sum()
    return torch.autograd.grad(expectation, leaves)


def test_the_estimates_mean_over_all_actions_is_the_gradient_of_the_expected_reward() -> None:
    for found, expected in zip(expected_estimate(0.0), exact_gradient(), strict=True):
        assert expected.abs().max() > 1e-2
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("baseline", [-3.0, 0.5, 100.0])
def test_a_constant_baseline_leaves_the_expectation_unchanged(baseline: float) -> None:
    for found, expected in zip(expected_estimate(baseline), expected_estimate(0.0), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_the_mean_of_drawn_estimates_is_the_exact_gradient_within_four_standard_errors() -> None:
    count = 40000
    probs = selection_probs(A, b, F)
    actions = drawn(probs.expand(count, -1, -1), generator(11))
    estimates = [policy_gradient(reward_of(one) + 1.2, one, probs, F) for one in actions]
    for place, expected in enumerate(exact_gradient()):
        parts = torch.stack([estimate[place] for estimate in estimates])
        error = parts.std(dim=0) / count**0.5
        assert ((parts.mean(dim=0) - expected).abs() < 4 * error).all()
        assert (error < 0.1 * expected.abs().max()).all()


def test_an_estimate_is_a_mean_over_samples() -> None:
    probs, actions, advantages = selection_probs(A, b, F), ACTIONS[20], normal(BATCH, seed=8)
    whole = policy_gradient(advantages, actions, probs, F)
    alone = [policy_gradient(advantages[[i]], actions[:, [i]], probs[:, [i]], F[:, [i]]) for i in range(BATCH)]
    for place in range(2):
        torch.testing.assert_close(whole[place], sum(part[place] for part in alone) / BATCH)
