"""The task loss against CLIP's and against an oracle with positives off the diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from open_clip.loss import SigLipLoss
from torch import Tensor
from torch.nn.functional import cross_entropy

from kdbench import Pairs
from kdbench.tasks.retrieval.losses import image_to_text_probs, pair_losses, sigmoid_losses
from tests.support.toys import batch_of, random_pairs

CONCEPTS = st.lists(st.integers(0, 3), min_size=2, max_size=8)


def test_same_is_the_same_concept() -> None:
    found = batch_of(torch.tensor([5, 7, 5])).same
    assert found.tolist() == [[True, False, True], [False, True, False], [True, False, True]]


def test_logits_are_images_against_texts() -> None:
    pairs = random_pairs(4, 3, scale=7.0)
    found = pairs.logits
    for i in range(4):
        for j in range(4):
            assert found[i, j] == pytest.approx(7.0 * float((pairs.image[i] * pairs.text[j]).sum()))


@pytest.mark.parametrize("batch", [2, 5, 16])
def test_unique_concepts_give_clips_loss(batch: int) -> None:
    pairs = random_pairs(batch, 8, scale=10.0)
    scores = 10.0 * pairs.image @ pairs.text.T
    truth = torch.arange(batch)
    expected = (cross_entropy(scores, truth) + cross_entropy(scores.T, truth)) / 2
    found = pair_losses(pairs, batch_of(truth).same)
    assert found.shape == (batch,)
    torch.testing.assert_close(found.mean(), expected)


def slow_losses(pairs: Pairs, concepts: list[int]) -> list[float]:
    """By the definition, in loops: mean over a pair's positives of −log p, both ways averaged."""
    image, text = pairs.image.detach().numpy(), pairs.text.detach().numpy()
    scores = float(pairs.scale) * np.array([[float(np.dot(v, u)) for u in text] for v in image])
    result = []
    for i, concept in enumerate(concepts):
        positives = [j for j, other in enumerate(concepts) if other == concept]
        ways: list[float] = []
        for row in (scores[i], scores[:, i]):
            total = np.log(np.exp(row).sum())
            ways.append(float(np.mean([total - row[j] for j in positives])))
        result.append(sum(ways) / 2)
    return result


@given(CONCEPTS)
def test_shared_concepts_equal_the_slow_oracle(concepts: list[int]) -> None:
    pairs = random_pairs(len(concepts), 5)
    found = pair_losses(pairs, batch_of(torch.tensor(concepts)).same)
    np.testing.assert_allclose(found.numpy(), slow_losses(pairs, concepts), rtol=1e-6)


@given(CONCEPTS)
def test_images_and_texts_are_treated_alike(concepts: list[int]) -> None:
    pairs = random_pairs(len(concepts), 5)
    same = batch_of(torch.tensor(concepts)).same
    swapped = Pairs(pairs.text, pairs.image, pairs.scale)
    torch.testing.assert_close(pair_losses(swapped, same), pair_losses(pairs, same))


@given(CONCEPTS, st.randoms(use_true_random=False))
def test_the_order_of_pairs_does_not_matter(concepts: list[int], random: Any) -> None:
    pairs = random_pairs(len(concepts), 5)
    order = list(range(len(concepts)))
    random.shuffle(order)
    shuffled = Pairs(pairs.image[order], pairs.text[order], pairs.scale)
    truth = torch.tensor(concepts)
    torch.testing.assert_close(
        pair_losses(shuffled, batch_of(truth[order]).same), pair_losses(pairs, batch_of(truth).same)[order]
    )


def pull(scores: Tensor, concepts: list[int]) -> Tensor:
    """The derivative of the mean loss by each similarity, [B, B]."""
    scores = scores.clone().requires_grad_()
    pairs = Pairs(torch.eye(len(scores), dtype=scores.dtype), scores.T, 1.0)  # one-hot images: the logits are the scores
    loss = pair_losses(pairs, batch_of(torch.tensor(concepts)).same).mean()
    (gradient,) = torch.autograd.grad(loss, scores)
    return gradient


@given(CONCEPTS)
def test_the_derivative_is_that_of_a_uniform_target(concepts: list[int]) -> None:
    size = len(concepts)
    scores = torch.randn(size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    same = torch.tensor(concepts)[:, None] == torch.tensor(concepts)
    target = same.double() / same.sum(1, keepdim=True)
    expected = (torch.softmax(scores, 1) - target + torch.softmax(scores, 0) - target.T) / (2 * size)
    torch.testing.assert_close(pull(scores, concepts), expected)


def test_pairs_of_one_concept_are_no_negatives_of_each_other() -> None:
    """Images 0 and 1 show one concept and are told apart from each other's texts: that pulls, and never pushes."""
    scores = torch.tensor([[4.0, 0, 0], [0, 4, 0], [0, 0, 4]], dtype=torch.float64)
    shared, apart = pull(scores, [8, 8, 9]), pull(scores, [7, 8, 9])
    assert shared[0, 1] < 0
    assert shared[1, 0] < 0
    assert apart[0, 1] > 0
    assert shared[0, 2] > 0
    assert shared[2, 0] > 0


def test_a_batch_of_one_concept_asks_for_nothing_once_all_agree() -> None:
    everywhere = torch.ones(4, 4, dtype=torch.float64)
    torch.testing.assert_close(pull(everywhere, [5] * 4), torch.zeros_like(everywhere))
    assert pull(everywhere, [1, 2, 3, 4])[0, 1] > 0


def test_the_scale_is_learned_through_the_loss() -> None:
    pairs = random_pairs(5, 4)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    same = batch_of(torch.arange(5)).same
    assert torch.autograd.gradcheck(lambda s: pair_losses(Pairs(pairs.image, pairs.text, s), same), (scale,))


def test_probabilities_are_those_of_texts_given_an_image() -> None:
    pairs = random_pairs(4, 3, scale=2.0)
    found = image_to_text_probs(pairs.logits)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(4, dtype=torch.float64))
    scores = np.exp(2.0 * (pairs.image @ pairs.text.T).numpy())
    np.testing.assert_allclose(found.numpy(), scores / scores.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("bias", [None, -10.0, 0.5])
@pytest.mark.parametrize("batch", [2, 7])
def test_unique_concepts_give_open_clips_sigmoid_loss(batch: int, bias: float | None) -> None:
    given = random_pairs(batch, 8)
    image, text = (rows.clone().requires_grad_() for rows in (given.image, given.text))
    scale = torch.tensor(10.0, requires_grad=True)
    shift = None if bias is None else torch.tensor(bias, requires_grad=True)
    leaves = [image, text, scale, *([] if shift is None else [shift])]
    found = sigmoid_losses(Pairs(image, text, scale, bias=shift), batch_of(torch.arange(batch)).same)
    expected = SigLipLoss()(image, text, scale, shift)
    assert found.shape == (batch,)
    torch.testing.assert_close(found.mean(), expected)
    for own, theirs in zip(torch.autograd.grad(found.mean(), leaves), torch.autograd.grad(expected, leaves), strict=True):
        torch.testing.assert_close(own, theirs)


@given(CONCEPTS)
def test_the_sigmoid_loss_of_shared_concepts_equals_the_slow_oracle(concepts: list[int]) -> None:
    pairs = random_pairs(len(concepts), 5)
    scores = float(pairs.scale) * pairs.image.numpy() @ pairs.text.numpy().T - 2.0
    signs = np.array([[1 if one == other else -1 for other in concepts] for one in concepts])
    terms = np.log1p(np.exp(-signs * scores.astype(np.float64)))
    expected = [(terms[i].sum() + terms[:, i].sum()) / 2 for i in range(len(concepts))]
    biased = Pairs(pairs.image, pairs.text, pairs.scale, bias=torch.tensor(-2.0))
    np.testing.assert_allclose(sigmoid_losses(biased, batch_of(torch.tensor(concepts)).same).numpy(), expected, rtol=1e-4)
