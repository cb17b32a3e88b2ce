"""`entropy` against loops over the teachers' probabilities."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor

from kdbench import Signal
from kdbench.plugins.parameters import params_model
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.training.signal import Graph, StepSignal
from kdbench_plugins.strategies.entropy import Entropy, kdbench_strategies
from tests.support.toys import batch_of, random_pairs

BATCH = 5


def seen(probs: Tensor) -> Signal:
    """A signal with nothing in it but the teachers' distributions."""
    return cast(Signal, SimpleNamespace(teacher_probs=probs))


def drawn(teachers: int, seed: int = 0, sharpness: float = 3.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(teachers, BATCH, BATCH, generator=generator, dtype=torch.float64)).softmax(dim=2)


@pytest.mark.parametrize("teachers", [2, 3, 5])
def test_weights_equal_the_loops(teachers: int) -> None:
    probs = drawn(teachers)
    found = Entropy().weigh(seen(probs))
    assert found.shape == (teachers, BATCH)
    for sample in range(BATCH):
        entropies = [-sum(p * math.log(p) for p in probs[t, sample].tolist()) for t in range(teachers)]
        for teacher in range(teachers):
            expected = (1 - entropies[teacher] / sum(entropies)) / (teachers - 1)
            assert float(found[teacher, sample]) == pytest.approx(expected, rel=1e-12)


def test_the_distributions_are_those_of_texts_for_each_image() -> None:
    """Of a real step, from the teachers' embeddings."""
    student, teachers = random_pairs(BATCH, 4, learn=True), [random_pairs(BATCH, 4, 20.0 - 5 * t, t) for t in range(3)]
    batch = batch_of(torch.arange(BATCH))
    graph = Graph([student.image.sum(dim=1)] * 3, student, [[]] * 3)
    signal = StepSignal(Retrieval(), graph, teachers, "abc", batch, pair_losses(student, batch.same), torch.Generator())
    found = Entropy().weigh(signal)
    assert not {"losses", "gradients", "gramian"} & set(vars(signal))
    for image in range(BATCH):
        entropies = []
        for teacher in teachers:
            scores = [float(teacher.scale) * float(teacher.image[image] @ text) for text in teacher.text]
            total = sum(math.exp(score) for score in scores)
            entropies.append(-sum(math.exp(score) / total * (score - math.log(total)) for score in scores))
        for place, entropy in enumerate(entropies):
            assert float(found[place, image]) == pytest.approx((1 - entropy / sum(entropies)) / 2, rel=1e-9)


def test_weights_are_a_simplex_bounded_above_and_fall_with_entropy() -> None:
    for seed in range(20):
        probs = drawn(4, seed)
        weights = Entropy().weigh(seen(probs))
        torch.testing.assert_close(weights.sum(dim=0), torch.ones(BATCH, dtype=torch.float64))
        assert weights.min() >= 0
        assert weights.max() <= 1 / 3
        entropies = -(probs * probs.log()).sum(dim=2)
        assert entropies.argsort(dim=0).equal(weights.argsort(dim=0, descending=True))


def test_two_teachers_have_each_others_share() -> None:
    """w_1 = H_2 / (H_1 + H_2): the one who is certain has all the weight."""
    probs = drawn(2)
    probs[0, 0] = torch.eye(BATCH, dtype=torch.float64)[3]
    weights = Entropy().weigh(seen(probs))
    assert weights[:, 0].tolist() == [1, 0]
    entropies = -torch.special.xlogy(probs, probs).sum(dim=2)
    torch.testing.assert_close(weights, entropies.flip(0) / entropies.sum(dim=0))


def test_permuted_teachers_have_permuted_weights_and_samples_do_not_meet() -> None:
    probs, order, rows = drawn(5), [3, 0, 4, 1, 2], [2, 0, 1, 4, 3]
    weights = Entropy().weigh(seen(probs))
    torch.testing.assert_close(Entropy().weigh(seen(probs[order])), weights[order])
    assert Entropy().weigh(seen(probs[:, rows])).equal(weights[:, rows])


def test_one_teacher_has_all_the_weight_though_its_entropy_be_zero() -> None:
    assert Entropy().weigh(seen(drawn(1))).tolist() == [[1.0] * BATCH]
    assert Entropy().weigh(seen(torch.eye(BATCH)[None])).tolist() == [[1.0] * BATCH]


@pytest.mark.parametrize("teachers", [2, 3])
def test_teachers_that_are_all_certain_or_all_uniform_are_equal(teachers: int) -> None:
    for probs in (torch.eye(BATCH), torch.full((BATCH, BATCH), 1 / BATCH), torch.ones(1, 1)):
        weights = Entropy().weigh(seen(probs.expand(teachers, -1, -1)))
        torch.testing.assert_close(weights, torch.full((teachers, len(probs)), 1 / teachers))


def test_entropies_that_are_hardly_there_give_a_simplex() -> None:
    """Logits in hundreds, in float32: probabilities underflow, some to zero."""
    probs = (torch.randn(3, 200, 200, generator=torch.Generator().manual_seed(0)) * 40).softmax(dim=2)
    assert (probs == 0).any()
    for given in (probs, probs.half().float()):
        weights = Entropy().weigh(seen(given))
        assert weights.dtype == torch.float32
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(dim=0), torch.ones(200))


def test_probabilities_that_rounding_lifted_above_one() -> None:
    probs = torch.tensor([[[1.0000001, 0.0]], [[1.0, 1e-8]], [[1.0, 1e-9]]])
    assert torch.special.entr(probs).sum(dim=2).min() < 0 < torch.special.entr(probs).sum()
    weights = Entropy().weigh(seen(probs))
    assert weights.min() >= 0
    assert weights.max() <= 0.5
    assert float(weights.sum()) == pytest.approx(1)


def test_it_has_no_parameters_and_says_what_it_is() -> None:
    (offer,) = kdbench_strategies()
    assert params_model(offer)().model_dump() == {}
    assert (offer.name, offer.status) == ("entropy", "published")
