"""Temperatures of other teachers: set, or found by entropy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy

from kdbench.errors import KdbenchWarning
from kdbench.plugins.building import building_with
from kdbench.plugins.loading import installed
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.testing import conform
from kdbench_plugins.teachers.tempered import (
    EntropyMatched,
    Tempered,
    cosines,
    drawn_pairs,
    kdbench_teachers,
    matching_scale,
    mean_entropy,
)
from tests.support.toys import Sage, cached, toy_plugins

SAGE = {"use": "sage", "width": 12, "seed": 3}


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    with building_with(toy_plugins(teachers=kdbench_teachers())):
        yield


@pytest.fixture
def data(tmp_path: Path) -> DatasetTeacherData:
    return DatasetTeacherData(Retrieval(), cached(tmp_path))


def test_the_temperature_is_the_inverse_of_the_scale(data: DatasetTeacherData) -> None:
    own, other = Sage(width=12, seed=3).towers(data), Tempered(teacher=SAGE, temperature=0.04).towers(data)
    assert other.logit_scale == 25.0
    assert (other.image.key, other.text.key) == (own.image.key, own.text.key)


def test_the_entropy_is_scipys() -> None:
    similar = [torch.randn(5, 5, generator=torch.Generator().manual_seed(i), dtype=torch.float64) for i in range(3)]
    rows = np.concatenate([part.numpy() for cosine in similar for part in (cosine, cosine.T)])
    assert mean_entropy(similar, 2.5) == pytest.approx(entropy(softmax(2.5 * rows, axis=1), axis=1).mean())


@pytest.mark.parametrize("scale", [0.02, 1.0, 7.0, 90.0])
def test_a_scale_is_found_again_by_its_entropy(scale: float) -> None:
    similar = [torch.rand(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)]
    assert matching_scale(similar, mean_entropy(similar, scale)) == pytest.approx(scale, rel=1e-6)


def test_pairs_match_and_are_the_same_again(data: DatasetTeacherData) -> None:
    split, batches = data.split("train"), drawn_pairs(data, 9)
    for (images, captions), (again, others) in zip(batches, drawn_pairs(data, 9), strict=True):
        np.testing.assert_array_equal(split.image_concepts[images], split.caption_concepts[captions])
        assert len(set(images.tolist())) == 9
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(captions, others)
    assert len({tuple(captions.tolist()) for _, captions in batches}) == len(batches)
    assert len(drawn_pairs(data, 1000)[0][0]) == len(split.image_concepts)


@pytest.mark.parametrize("scale", [2.0, 30.0])
def test_the_entropy_of_the_other_teacher_is_met(data: DatasetTeacherData, scale: float) -> None:
    like: dict[str, Any] = {"use": "sage", "width": 8, "seed": 5, "scale": scale}
    found = EntropyMatched(teacher=SAGE, like=like, batch_size=16).towers(data)
    other, pairs = Sage(width=8, seed=5, scale=scale).towers(data), drawn_pairs(data, 16)
    wanted = mean_entropy(cosines(data, other, pairs), scale)
    assert mean_entropy(cosines(data, found, pairs), found.logit_scale) == pytest.approx(wanted, rel=1e-6)


def test_a_teacher_like_itself_keeps_its_scale(data: DatasetTeacherData) -> None:
    found = EntropyMatched(teacher=SAGE, like=SAGE | {"scale": 17.0}, batch_size=8).towers(data)
    assert found.logit_scale == pytest.approx(17.0, rel=1e-6)


def test_an_entropy_out_of_reach_warns_and_takes_the_limit(data: DatasetTeacherData) -> None:
    """A teacher whose cosines are all alike cannot be as sure as one that tells concepts apart."""
    alike = {"use": "sage", "width": 12, "seed": 3, "scale": 4000.0}
    with pytest.warns(KdbenchWarning, match=r"at the logit scale 100, the limit; expected 0\.\d+, that of `like`"):
        found = EntropyMatched(teacher=SAGE, like=alike, batch_size=16).towers(data)
    assert found.logit_scale == pytest.approx(100)


@pytest.mark.parametrize("offer", kdbench_teachers(), ids=lambda offer: offer.name)
def test_conform(offer: Any) -> None:
    with building_with(installed()):
        found = conform(offer, "teacher", dict(offer.example))
    assert [finding for finding in found if finding.outcome != "holds"] == []
