"""The fusion network against loops, and what its matching loss teaches it."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from kdbench_plugins.students.fusion_network import FusionModule, FusionNetwork, hard_negatives
from tests.support.toys import batch_of

PLACES, WORDS, WIDTH, HEADS = 3, 4, 6, 2


def network(seed: int = 0, width: int = WIDTH, heads: int = HEADS) -> FusionNetwork:
    torch.manual_seed(seed)
    made = FusionNetwork(5, 7, width, heads).double()
    for parameter in made.parameters():  # biases and norms start at values that hide mistakes
        nn.init.normal_(parameter, std=0.5)
    return made


def tokens(batch: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Images [B, 3, 5], texts [B, 4, 7] and which of their tokens are words, one to four a text."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, PLACES, 5, generator=generator, dtype=torch.float64)
    texts = torch.randn(batch, WORDS, 7, generator=generator, dtype=torch.float64)
    lengths = torch.arange(batch) % WORDS + 1
    return images, texts, torch.arange(WORDS) < lengths[:, None]


def module_of(fusion: FusionNetwork, scale: float = 5.0, weight: float = 1.0) -> FusionModule:
    student: Any = SimpleNamespace(logit_scale=torch.tensor(math.log(scale)))
    return FusionModule(student, fusion, weight)


def attended(layer: nn.MultiheadAttention, queries: list[Tensor], keys: list[Tensor]) -> list[Tensor]:
    """Scaled dot-product attention of every head, in loops."""
    width, size = WIDTH, WIDTH // HEADS
    weight, bias = layer.in_proj_weight, layer.in_proj_bias
    found = []
    for query in queries:
        q = weight[:width] @ query + bias[:width]
        k = [weight[width : 2 * width] @ key + bias[width : 2 * width] for key in keys]
        v = [weight[2 * width :] @ key + bias[2 * width :] for key in keys]
        heads = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            odds = [math.exp(float(q[part] @ key[part]) / math.sqrt(size)) for key in k]
            heads.append(sum((odd / sum(odds) * value[part] for odd, value in zip(odds, v, strict=True)), torch.zeros(size)))
        found.append(layer.out_proj.weight @ torch.cat(heads) + layer.out_proj.bias)
    return found


def projected(layers: nn.Module, token: Tensor) -> Tensor:
    linear, norm = cast(tuple[nn.Linear, nn.LayerNorm], tuple(layers.children()))
    x = linear.weight @ token + linear.bias
    centred = x - x.mean()
    return centred / math.sqrt(float(centred.square().mean()) + 1e-5) * norm.weight + norm.bias


def slow_logit(fusion: FusionNetwork, image: Tensor, text: Tensor, words: Tensor) -> float:
    x = [projected(fusion.image, token) for token in image]
    y = [projected(fusion.text, token) for token, word in zip(text, words, strict=True) if word]
    a = sum((own + more for own, more in zip(x, attended(fusion.image_to_text, x, y), strict=True)), torch.zeros(WIDTH))
    b = sum((own + more for own, more in zip(y, attended(fusion.text_to_image, y, x), strict=True)), torch.zeros(WIDTH))
    a, b = a / len(x), b / len(y)
    fused = []
    for place in range(WIDTH):
        gate = 1 / (1 + math.exp(-float(fusion.gate.weight[place] @ torch.cat([a, b]) + fusion.gate.bias[place])))
        fused.append(gate * float(a[place]) + (1 - gate) * float(b[place]))
    return math.fsum(w * f for w, f in zip(fusion.score.weight[0].tolist(), fused, strict=True)) + float(fusion.score.bias)


@torch.no_grad()
def test_the_network_against_loops() -> None:
    fusion = network()
    images, texts, words = tokens(6)
    expected = [slow_logit(fusion, *sample) for sample in zip(images, texts, words, strict=True)]
    torch.testing.assert_close(fusion(images, texts, words), torch.tensor(expected, dtype=torch.float64))


def test_padding_has_no_say() -> None:
    fusion = network()
    images, texts, words = tokens(5)
    changed = torch.where(words[..., None], texts, 100 * torch.ones(7, dtype=torch.float64)).requires_grad_()
    logits = fusion(images, changed, words)
    torch.testing.assert_close(logits, fusion(images, texts, words))
    logits.sum().backward()
    assert changed.grad is not None
    moved = changed.grad.abs().sum(dim=2) > 0
    assert moved.equal(words)


def test_every_parameter_learns() -> None:
    fusion = network()
    fusion(*tokens(4)).square().sum().backward()
    assert [name for name, p in fusion.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


# Hard negatives


def test_negatives_are_of_another_concept_and_rows_without_one_are_left_out() -> None:
    concepts = torch.tensor([0, 0, 1, 2, 2, 2])
    scores = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)) * 3
    for seed in range(50):
        torch.manual_seed(seed)
        rows, columns = hard_negatives(scores, batch_of(concepts).same)
        assert rows.tolist() == list(range(6))
        assert (concepts[rows] != concepts[columns]).all()
    # Not as concepts can be, but as a mask: rows 0 and 2 alone have another.
    same = torch.tensor([[True, False, True], [True, True, True], [False, True, True]])
    rows, columns = hard_negatives(torch.zeros(3, 3), same)
    assert (rows.tolist(), columns.tolist()) == ([0, 2], [1, 0])
    rows, columns = hard_negatives(torch.zeros(3, 3), torch.ones(3, 3, dtype=torch.bool))
    assert (rows.tolist(), columns.tolist()) == ([], [])


def test_negatives_are_drawn_by_the_softmax_of_their_scores() -> None:
    concepts, count = torch.tensor([0, 0, 1, 2]), 4000
    scores = torch.tensor([[9.0, 9.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [2.0, 1.0, 50.0, 0.0], [-1.0, 0.0, 1.0, 7.0]])
    torch.manual_seed(0)
    found = torch.zeros(4, 4)
    for _ in range(count):
        rows, columns = hard_negatives(scores, batch_of(concepts).same)
        found[rows, columns] += 1
    for row in range(4):
        others = [column for column in range(4) if concepts[column] != concepts[row]]
        total = sum(math.exp(scores[row, column]) for column in others)
        for column in range(4):
            odds = math.exp(scores[row, column]) / total if column in others else 0.0
            deviation = math.sqrt(count * odds * (1 - odds))
            assert abs(float(found[row, column]) - count * odds) <= 5 * deviation  # five standard deviations of a binomial


def test_scores_of_a_run_that_diverged_do_not_raise() -> None:
    rows, columns = hard_negatives(torch.full((3, 3), math.nan), batch_of(torch.arange(3)).same)
    assert len(rows) == len(columns) == 3


# The loss


def views_of(batch: int, seed: int = 0) -> tuple[Tensor, ...]:
    images, texts, words = tokens(batch, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    image, text = (normalize(torch.randn(batch, 4, generator=generator, dtype=torch.float64), dim=1) for _ in range(2))
    return image, text, images, texts, words.double()


@pytest.mark.parametrize("concepts", [[0, 1, 2, 3, 4], [0, 0, 1, 0, 1], [3, 3, 3, 3, 3]])
@torch.no_grad()
def test_the_loss_against_loops(concepts: list[int]) -> None:
    fusion, views = network(), views_of(5)
    image, text, images, texts, words = views
    batch = batch_of(torch.tensor(concepts))
    torch.manual_seed(7)
    found = module_of(fusion, scale=5.0, weight=0.3).auxiliary_loss(views, batch)
    torch.manual_seed(7)
    scores = torch.tensor([[5.0 * float(v @ u) for u in text] for v in image], dtype=torch.float64)
    by_image = list(zip(*(part.tolist() for part in hard_negatives(scores, batch.same)), strict=True))
    by_text = [(j, i) for i, j in zip(*(part.tolist() for part in hard_negatives(scores.T, batch.same)), strict=True)]
    losses = []
    for match, pairs in ((True, [(i, i) for i in range(5)]), (False, by_image + by_text)):
        for i, j in pairs:
            logit = slow_logit(fusion, images[i], texts[j], words[j])
            losses.append(math.log1p(math.exp(-logit if match else logit)))
    assert len(losses) == (5 if len(set(concepts)) == 1 else 15)
    torch.testing.assert_close(float(found), 0.3 * sum(losses) / len(losses), rtol=1e-6, atol=0)


def test_embeddings_choose_negatives_and_learn_nothing_from_it() -> None:
    views = [view.clone().requires_grad_() for view in views_of(5)]
    module_of(network()).auxiliary_loss(views, batch_of(torch.arange(5))).backward()  # type: ignore[no-untyped-call]
    assert [view.grad is not None for view in views] == [False, False, True, True, False]


def test_matching_is_learned() -> None:
    """Of images and texts whose tokens name the same three of eight things, in any order; judged on pairs not seen."""
    generator = torch.Generator().manual_seed(0)
    looks, names = torch.randn(8, 5, generator=generator), torch.randn(8, 7, generator=generator)

    def drawn(count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        things = torch.rand(count, 8, generator=generator).argsort(dim=1)[:, :3]
        shuffled = things.gather(1, torch.rand(count, 3, generator=generator).argsort(dim=1))
        texts = torch.cat([names[shuffled], torch.randn(count, 1, 7, generator=generator)], dim=1)
        concepts = (1 << things).sum(dim=1)
        return looks[things], texts, torch.tensor([True, True, True, False]).expand(count, -1), concepts

    torch.manual_seed(0)
    fusion = FusionNetwork(5, 7, 16, 2)
    module = module_of(fusion)
    optimizer = torch.optim.Adam(fusion.parameters(), lr=5e-3)
    embeddings = torch.zeros(64, 4)
    for _ in range(250):
        images, texts, words, concepts = drawn(64)
        optimizer.zero_grad()
        loss = module.auxiliary_loss((embeddings, embeddings, images, texts, words.float()), batch_of(concepts))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    images, texts, words, concepts = drawn(400)
    other = torch.arange(400).roll(1)
    differ = concepts != concepts[other]
    with torch.no_grad():
        matched, mismatched = fusion(images, texts, words), fusion(images, texts[other], words)[differ]
    assert torch.cat([matched > 0, mismatched <= 0]).float().mean() > 0.9
