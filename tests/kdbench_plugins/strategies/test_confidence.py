"""`confidence` against loops over the teachers' cross-entropies."""

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
from kdbench_plugins.strategies.confidence import Confidence, kdbench_strategies
from tests.support.toys import batch_of, random_pairs

BATCH = 6


def seen(truth_losses: Tensor) -> Signal:
    """A signal with nothing in it but the teachers' cross-entropies."""
    return cast(Signal, SimpleNamespace(truth_losses=truth_losses))


def drawn(teachers: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 4 * torch.rand(teachers, BATCH, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("teachers", [2, 3, 5])
def test_weights_equal_the_loops(teachers: int) -> None:
    losses = drawn(teachers)
    found = Confidence().weigh(seen(losses))
    assert found.shape == (teachers, BATCH)
    for sample in range(BATCH):
        exponentials = [math.exp(loss) for loss in losses[:, sample].tolist()]
        for teacher in range(teachers):
            expected = (1 - exponentials[teacher] / sum(exponentials)) / (teachers - 1)
            assert float(found[teacher, sample]) == pytest.approx(expected, rel=1e-12)


def test_cross_entropies_are_against_the_true_pairs_both_ways() -> None:
    """Of a real step in which two pairs show one concept, from the teachers' embeddings."""
    concepts = [0, 1, 1, 2, 3, 4]
    student, teachers = random_pairs(BATCH, 4, learn=True), [random_pairs(BATCH, 4, 5.0, t) for t in range(3)]
    batch = batch_of(torch.tensor(concepts))
    graph = Graph([student.image.sum(dim=1)] * 3, student, [[]] * 3)
    signal = StepSignal(Retrieval(), graph, teachers, "abc", batch, pair_losses(student, batch.same), torch.Generator())
    found = Confidence().weigh(signal)
    assert not {"losses", "gradients", "gramian"} & set(vars(signal))
    for pair in range(BATCH):
        positives = [other for other in range(BATCH) if concepts[other] == concepts[pair]]
        exponentials = []
        for teacher in teachers:
            both = 0.0
            for own, others in ((teacher.image, teacher.text), (teacher.text, teacher.image)):
                scores = [5.0 * float(own[pair] @ other) for other in others]
                total = math.log(sum(math.exp(score) for score in scores))
                both += sum(total - scores[other] for other in positives) / len(positives) / 2
            exponentials.append(math.exp(both))
        for place, exponential in enumerate(exponentials):
            assert float(found[place, pair]) == pytest.approx((1 - exponential / sum(exponentials)) / 2, rel=1e-9)


def test_weights_are_a_simplex_bounded_above_and_fall_with_the_loss() -> None:
    for seed in range(20):
        losses = drawn(4, seed)
        weights = Confidence().weigh(seen(losses))
        torch.testing.assert_close(weights.sum(dim=0), torch.ones(BATCH, dtype=torch.float64))
        assert weights.min() >= 0
        assert weights.max() <= 1 / 3
        assert losses.argsort(dim=0).equal(weights.argsort(dim=0, descending=True))


def test_of_two_teachers_the_difference_counts() -> None:
    losses = drawn(2)
    torch.testing.assert_close(Confidence().weigh(seen(losses)), (-losses).softmax(dim=0))


def test_a_loss_that_all_share_does_not_count() -> None:
    losses = drawn(3)
    torch.testing.assert_close(Confidence().weigh(seen(losses + 7)), Confidence().weigh(seen(losses)))


def test_permuted_teachers_have_permuted_weights_and_samples_do_not_meet() -> None:
    losses, order, rows = drawn(5), [3, 0, 4, 1, 2], [2, 0, 1, 4, 3, 5]
    weights = Confidence().weigh(seen(losses))
    torch.testing.assert_close(Confidence().weigh(seen(losses[order])), weights[order])
    assert Confidence().weigh(seen(losses[:, rows])).equal(weights[:, rows])


def test_one_teacher_has_all_the_weight() -> None:
    for loss in (0.0, 1.0, 1e8):
        assert Confidence().weigh(seen(torch.full((1, BATCH), loss))).tolist() == [[1.0] * BATCH]


def test_the_worst_of_three_is_silent_where_its_loss_is_huge() -> None:
    weights = Confidence().weigh(seen(torch.tensor([[0.0], [1e8], [3.0]])))
    assert weights.flatten().tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize("loss", [0.0, 2.0, 1e8])
def test_teachers_that_are_alike_are_equal(loss: float) -> None:
    torch.testing.assert_close(Confidence().weigh(seen(torch.full((3, BATCH), loss))), torch.full((3, BATCH), 1 / 3))


def test_it_has_no_parameters_and_says_what_it_is() -> None:
    (offer,) = kdbench_strategies()
    assert params_model(offer)().model_dump() == {}
    assert (offer.name, offer.status) == ("confidence", "published")
