"""`feature_alignment` against loops: the layer map, words without padding, attention; what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from kdbench import KdbenchError, Pairs
from kdbench.testing.retrieval.internals import drawn_internals
from kdbench.training.internals import shapes_of
from kdbench_plugins.objectives.feature_alignment import FeatureAlignment, pairs_of
from kdbench_plugins.objectives.relational_kl import RelationalKL
from tests.support.toys import batch_of, random_pairs

B = 3
STEP = batch_of(torch.arange(B))


def holding(objective: FeatureAlignment, width: int, layers: int, seed: int) -> Pairs:
    return replace(random_pairs(B, 4, seed=seed), internals=drawn_internals(objective.internals, B, width, layers, seed))


@pytest.mark.parametrize(
    ("student", "teacher", "expected"),
    [(3, 3, [0, 1, 2]), (2, 6, [2, 5]), (1, 4, [3]), (4, 2, [0, 0, 1, 1]), (3, 4, [1, 2, 3])],
)
def test_layers_are_mapped_uniformly(student: int, teacher: int, expected: list[int]) -> None:
    assert pairs_of(student, teacher) == list(enumerate(expected))


def test_it_equals_the_loops() -> None:
    objective = FeatureAlignment(alpha=0.7, beta=0.5, gamma=0.25, attention="both")
    student, teacher = holding(objective, 2, 2, seed=1), holding(objective, 5, 4, seed=2)
    head: Any = objective.internal_head(shapes_of(student), shapes_of(teacher)).double()
    total = 0.25 * RelationalKL().losses(student, teacher, None, STEP)
    own, aim = student.internals, teacher.internals
    words = own["text_words"][0] * aim["text_words"][0]
    for sample in range(B):
        for layer, other in ((0, 1), (1, 3)):
            apart = []
            for row in range(3):
                for column in range(3):
                    one = head["maps"][layer](own["maps"][layer][sample, :, row, column])
                    two = aim["maps"][other][sample, :, row, column]
                    apart.append((one / one.norm() - two / two.norm()).square().sum())
            total[sample] += 0.7 * sum(apart) / 9
            kept = [place for place in range(3) if words[sample, place]]
            for place in kept:
                one = head["text_hidden"][layer](own["text_hidden"][layer][sample, place])
                two = aim["text_hidden"][other][sample, place]
                total[sample] += 0.7 * (one / one.norm() - two / two.norm()).square().sum() / len(kept)
            for name, rows in (("text_attention", kept), ("image_attention", range(3))):
                for row in rows:
                    one, two = own[name][layer][sample, :, row].mean(dim=0), aim[name][other][sample, :, row].mean(dim=0)
                    total[sample] += 0.5 * (one - two).square().sum() / len(rows)
    torch.testing.assert_close(objective.losses(student, teacher, head, STEP).detach(), total.detach())


def test_identical_models_with_identity_heads_lose_nothing() -> None:
    objective = FeatureAlignment(attention="both")
    model = holding(objective, 4, 3, seed=1)
    head: Any = objective.internal_head(shapes_of(model), shapes_of(model)).double()
    for layer in head.modules():
        if isinstance(layer, nn.Linear):
            nn.init.eye_(layer.weight)
    torch.testing.assert_close(objective.losses(model, model, head, STEP), torch.zeros(B).double())


def test_padding_and_words_beyond_the_shorter_context_say_nothing() -> None:
    objective = FeatureAlignment(hidden="text")
    student, teacher = holding(objective, 4, 1, seed=1), holding(objective, 4, 1, seed=2)
    head: Any = objective.internal_head(shapes_of(student), shapes_of(teacher)).double()
    expected = objective.losses(student, teacher, head, STEP)
    padded = dict(teacher.internals)
    padded["text_hidden"] = (torch.cat([padded["text_hidden"][0], torch.full((B, 2, 4), 9.0).double()], dim=1),)
    padded["text_words"] = (torch.cat([padded["text_words"][0], torch.ones(B, 2).double()], dim=1),)
    padded["text_hidden"][0][0, 2] = 7.0  # padding of the first sample
    torch.testing.assert_close(objective.losses(student, replace(teacher, internals=padded), head, STEP), expected)


def test_it_reads_what_its_parameters_name() -> None:
    assert FeatureAlignment().internals == ("maps", "text_hidden", "text_attention", "text_words")
    assert FeatureAlignment(hidden="image", attention="none").internals == ("maps",)
    assert FeatureAlignment(hidden="none", attention="none").internals == ()


def test_attention_of_other_numbers_of_tokens_is_refused() -> None:
    shapes = [{"image_attention": [(2, tokens, tokens)]} for tokens in (17, 50)]
    with pytest.raises(KdbenchError, match="image towers of 17 tokens \\(student\\) and 50 \\(teacher\\)"):
        FeatureAlignment(hidden="none", attention="image").internal_head(*shapes)
