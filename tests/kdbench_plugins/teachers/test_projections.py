"""The projections between frozen features."""

from __future__ import annotations

import math

import pytest
import torch

from kdbench_plugins.teachers.projections import Projections


def projections(hidden: int = 7, seed: int = 0, dropout: float = 0.5) -> Projections:
    torch.manual_seed(seed)
    return Projections(5, 3, width=4, hidden=hidden, dropout=dropout, input_dropout=dropout)


@pytest.mark.parametrize("hidden", [0, 7])
def test_unit_vectors_of_the_width(hidden: int) -> None:
    module = projections(hidden).eval()
    for encode, width in ((module.encode_image, 5), (module.encode_text, 3)):
        vectors = encode(torch.randn(6, width))
        assert vectors.shape == (6, 4)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))


def test_scale_starts_as_in_clip() -> None:
    module = projections()
    assert module.logit_scale.item() == pytest.approx(math.log(1 / 0.07))
    assert "logit_scale" in dict(module.named_parameters())


def test_reads_features_as_they_are_stored() -> None:
    module = projections().eval()
    features = torch.randn(2, 5).half()
    assert torch.equal(module.encode_image(features), module.encode_image(features.float()))


def test_scale_of_the_features_does_not_matter() -> None:
    module = projections().eval()
    features = torch.randn(2, 5)
    torch.testing.assert_close(module.encode_image(features), module.encode_image(100 * features), atol=1e-4, rtol=1e-4)


def test_same_seed_same_weights() -> None:
    one, same, other = (projections(seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["image.2.weight"], other["image.2.weight"])


def test_dropout_is_drawn_in_training_alone() -> None:
    module, features = projections(), torch.randn(8, 5)
    assert not torch.equal(module.train().encode_image(features), module.encode_image(features))
    assert torch.equal(module.eval().encode_image(features), module.encode_image(features))
