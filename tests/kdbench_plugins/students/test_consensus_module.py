"""Pooling by self-attention, gates and concepts, against loops and by hand."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.nn.functional import normalize

from kdbench_plugins.students.consensus_module import AttentionPool, Concepts, Consensus, ConsensusModule, Gate


def made(seed: int = 0) -> tuple[AttentionPool, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    words = torch.tensor([[True, True, False, False], [True, True, True, True], [False] * 4])
    return AttentionPool(5, 7, 3, 6), normalize(torch.randn(3, 6), dim=1), torch.randn(3, 4, 5), words


@torch.no_grad()
def test_against_a_loop_over_heads_and_tokens() -> None:
    pool, embeddings, tokens, words = made()
    found = pool(embeddings, tokens, words)
    for row in range(3):
        seen = [place for place in range(4) if words[row, place] or row == 2]  # without words all tokens count
        means = []
        for head in range(3):
            scores = torch.stack([pool.scores.weight[head] @ torch.tanh(pool.hidden.weight @ tokens[row, p]) for p in seen])
            means.append(sum(w * tokens[row, p] for w, p in zip(scores.softmax(0), seen, strict=True)))
        pooled = normalize(pool.out(torch.cat(cast(Any, means))), dim=0)
        gate = torch.sigmoid(pool.gate.mix(torch.cat([embeddings[row], pooled])))
        torch.testing.assert_close(found[row], normalize(gate * embeddings[row] + (1 - gate) * pooled, dim=0))


@torch.no_grad()
def test_weights_of_tokens_sum_to_one_and_padding_has_none() -> None:
    pool, embeddings, tokens, words = made()
    weights = pool.attention(tokens, words)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 3))
    assert torch.equal(weights[0, :, 2:], torch.zeros(3, 2))
    other = tokens.clone()
    other[0, 2:] = 100.0
    assert torch.equal(pool(embeddings, other, words)[:2], pool(embeddings, tokens, words)[:2])


@torch.no_grad()
def test_an_open_gate_leaves_the_embedding() -> None:
    gate = Gate(6)
    gate.mix.weight.zero_()
    x, y = normalize(torch.randn(4, 6), dim=1), torch.randn(4, 6)
    gate.mix.bias.fill_(100.0)
    torch.testing.assert_close(gate(x, y), x)
    gate.mix.bias.fill_(-100.0)
    torch.testing.assert_close(gate(x, y), normalize(y, dim=1))


@torch.no_grad()
def test_concepts_follow_their_correlations() -> None:
    torch.manual_seed(0)
    concepts = Concepts(3, 4)
    alone = concepts()
    concepts.correlations.copy_(torch.full((3, 3), 1 / 3))  # all the same
    torch.testing.assert_close(concepts(), concepts()[:1].expand(3, 4))
    concepts.correlations.copy_(torch.eye(3))
    torch.testing.assert_close(alone, normalize(concepts.second(concepts.first.relu()), dim=1))


@torch.no_grad()
def test_an_embedding_is_merged_with_the_concepts_that_are_like_it() -> None:
    consensus = Consensus(Concepts(4, 4), 4)
    consensus.gate.mix.weight.zero_()
    consensus.gate.mix.bias.fill_(-100.0)  # concepts alone
    vectors = consensus.concepts()
    found = consensus(vectors[:1])
    weights = (10 * vectors[:1] @ vectors.T).softmax(dim=1)
    torch.testing.assert_close(found, normalize(weights @ vectors, dim=1))


def test_finalized_without_the_graph() -> None:
    torch.manual_seed(0)
    student: Any = torch.nn.Linear(1, 1)
    pools = [AttentionPool(5, 7, 3, 6) for _ in range(2)]
    module = ConsensusModule(student, *pools, Consensus(Concepts(9, 6), 6))
    final = module.finalized()
    assert [name for name in final.state_dict() if "concepts" in name] == ["consensus.concepts.vectors"]
    embeddings = normalize(torch.randn(3, 6), dim=1)
    assert torch.equal(final._merged(embeddings), module._merged(embeddings))
    plain = ConsensusModule(student, *pools)
    assert plain.finalized() is plain
    assert plain._merged(embeddings) is embeddings
