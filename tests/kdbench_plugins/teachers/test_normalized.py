"""The normalisers by their defining properties: variances of the mapped train split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kdbench import KdbenchError, NoTower
from kdbench.plugins.building import building_with
from kdbench.plugins.loading import installed
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.tasks.retrieval.teachers import rank_teacher, teach
from kdbench.testing import conform
from kdbench_plugins.teachers.normalized import (
    FLOOR,
    By,
    Normalized,
    kdbench_teachers,
    moments,
    phi_standardizing,
    standardizing,
    whitening,
)
from tests.support.toys import Sage, cached, toy_plugins

WIDTH = 12
SAGE = {"use": "sage", "width": WIDTH, "seed": 3}
rng = np.random.default_rng(0)
ROWS = (rng.standard_normal((400, WIDTH)) * np.geomspace(0.1, 3, WIDTH)) @ rng.standard_normal((WIDTH, WIDTH)) + 5
MEAN, COVARIANCE = moments(ROWS)


def mapped(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The covariance of the mapped rows."""
    found: NDArray[np.float64] = np.cov((ROWS - MEAN) @ matrix.T, rowvar=False)
    return found


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    with building_with(toy_plugins(teachers=kdbench_teachers())):
        yield


def test_moments_in_blocks_are_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdbench_plugins.teachers.normalized.BLOCK", 7)
    mean, covariance = moments(ROWS)
    np.testing.assert_allclose(mean, ROWS.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(ROWS, rowvar=False))


def test_standardized_coordinates_have_a_variance_of_one() -> None:
    variances = COVARIANCE.diagonal()
    np.testing.assert_allclose(mapped(standardizing(COVARIANCE)).diagonal(), variances / (variances + FLOOR * variances.mean()))


def test_whitened_coordinates_have_no_covariance() -> None:
    """Up to the floor, which costs directions of little variance theirs; and the map turns nothing: it is symmetric."""
    matrix, values = whitening(COVARIANCE), np.linalg.eigvalsh(COVARIANCE)
    floor = FLOOR * values.mean()
    np.testing.assert_allclose(np.linalg.eigvalsh(mapped(matrix)), values / (values + floor), rtol=1e-6)
    np.testing.assert_allclose(matrix, matrix.T)
    large = whitening(COVARIANCE + 1e9 * np.eye(WIDTH)) * 1e9**0.5
    np.testing.assert_allclose(large, np.eye(WIDTH) / (1 + FLOOR) ** 0.5, atol=1e-6)


def test_phi_s_gives_all_coordinates_one_variance_by_a_rotation_and_a_scalar() -> None:
    """AM-RADIO's equations: α⁻² = mean eigenvalue; the rotation is orthogonal; variances are all one."""
    matrix = phi_standardizing(COVARIANCE)
    np.testing.assert_allclose(mapped(matrix).diagonal(), np.ones(WIDTH))
    alpha = np.linalg.eigvalsh(COVARIANCE).mean() ** -0.5
    np.testing.assert_allclose(matrix @ matrix.T, alpha**2 * np.eye(WIDTH), atol=1e-9)


def test_a_width_without_a_hadamard_matrix_is_refused() -> None:
    with pytest.raises(KdbenchError, match=r"found phi_s for embeddings of width 10, .* expected standardize or whiten"):
        phi_standardizing(np.eye(10))


@pytest.mark.parametrize("by", ["standardize", "whiten", "phi_s"])
def test_embeddings_are_mapped_by_the_means_and_the_mean_covariance_of_the_train_split(by: By, tmp_path: Path) -> None:
    dataset = cached(tmp_path)
    plain = teach(dataset, Sage(width=WIDTH, seed=3), Retrieval())
    image, text = (np.asarray(rows, dtype=np.float64) for rows in (plain.image, plain.text))
    covariance = (np.cov(image, rowvar=False) + np.cov(text, rowvar=False)) / 2
    matrix = {"standardize": standardizing, "whiten": whitening, "phi_s": phi_standardizing}[by](covariance)
    found = teach(dataset, Normalized(teacher=SAGE, by=by), Retrieval())
    for rows, given in ((found.image, image), (found.text, text)):
        expected = (given - given.mean(axis=0)) @ matrix.T
        np.testing.assert_allclose(rows, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=2e-3)
    assert found.logit_scale == plain.logit_scale


def test_test_items_are_mapped_by_the_train_split(tmp_path: Path) -> None:
    """The teacher ranks the test split without having seen it; a rotation changes no cosine of centred embeddings."""
    dataset = cached(tmp_path)
    ranks = rank_teacher(dataset, Normalized(teacher=SAGE, by="phi_s"), "test", Retrieval()).arrays
    sage = Sage(width=WIDTH, seed=3)
    train, towers = teach(dataset, sage, Retrieval()), sage.towers(None)  # type: ignore[arg-type]  # it reads no data
    test = dataset.split("test")
    own = [np.asarray(dataset.encode(tower, "test"), dtype=np.float64) for tower in (towers.image, towers.text)]
    centred = [
        rows - np.asarray(seen, np.float64).mean(axis=0) for rows, seen in zip(own, (train.image, train.text), strict=True)
    ]
    image, text = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in centred)
    similar = image @ text.T
    match = test.image_concepts[:, None] == test.caption_concepts[None]
    best = np.where(match, similar, -9).max(axis=1, keepdims=True)
    expected = 1 + ((similar > best) & ~match).sum(axis=1)
    assert np.mean(ranks["text"] == expected) > 0.9  # float16 moves a few


def test_one_tower_is_enough(tmp_path: Path) -> None:
    with building_with(installed()):
        teacher = Normalized(teacher={"use": "embeddings", "images": "a.npy", "miniature": True}, by="whiten")
        from kdbench.testing.retrieval.shapes_dataset import Shapes

        data = DatasetTeacherData(Retrieval(), cached(tmp_path, Shapes()))
        towers = teacher.towers(data)
        assert isinstance(towers.text, NoTower)
        values: Any = data.encode(towers.image, "train")
        assert values.shape == (48, 32)


@pytest.mark.parametrize("by", ["standardize", "whiten", "phi_s"])
def test_conform(by: By) -> None:
    (offer,) = kdbench_teachers()
    with building_with(installed()):
        found = conform(offer, "teacher", dict(offer.example) | {"by": by})
    assert [finding for finding in found if finding.outcome != "holds"] == []
