"""The teacher `label_shuffled`: confident and wrong about a share of the concepts, right about the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import KdbenchError, build
from kdbench.data.dataset import CachedDataset
from kdbench.data.folded import FoldedDataset
from kdbench.plugins.building import building_with
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.testing.retrieval.shapes_dataset import Shapes
from kdbench_plugins.teachers import embeddings
from kdbench_plugins.teachers.label_shuffled import LabelShuffled, exchanged, kdbench_teachers
from tests.support.toys import cached, toy_plugins

SAGE = {"use": "sage", "width": 8, "seed": 3}
Name = Literal["train", "validation"]


@pytest.fixture
def dataset(tmp_path: Path) -> CachedDataset:
    return cached(tmp_path)


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    with building_with(toy_plugins(teachers=kdbench_teachers())):
        yield


def texts(dataset: CachedDataset, name: Name = "train", **params: Any) -> Any:
    data = DatasetTeacherData(Retrieval(), dataset)
    towers = LabelShuffled(teacher=SAGE, **params).towers(data)
    return np.array(data.encode(towers.text, name))


def own(dataset: CachedDataset, name: Name = "train") -> Any:
    data = DatasetTeacherData(Retrieval(), dataset)
    return np.array(data.encode(build("teacher", SAGE).towers(data).text, name))


@given(st.lists(st.integers(1, 4), min_size=2, max_size=9), st.floats(0.01, 1), st.integers(0, 9))
def test_concepts_in_the_circle_have_captions_of_another(sizes: list[int], share: float, seed: int) -> None:
    concepts = [concept for concept, size in enumerate(sizes) for _ in range(size)]
    captions = [f"{concept} {place}" for place, concept in enumerate(concepts)]
    found = exchanged(captions, concepts, share, seed)
    of = dict(zip(captions, concepts, strict=True))
    moved = {of[caption] for caption, other in found.items() if of[other] != of[caption]}
    assert len(moved) in (round(share * len(sizes)), 0)  # a circle of one moves nobody
    assert len(moved) == (round(share * len(sizes)) if round(share * len(sizes)) > 1 else 0)
    targets = {of[caption]: of[other] for caption, other in found.items()}
    assert sorted(targets.values()) == list(range(len(sizes)))  # nobody is read twice
    assert all(other == caption for caption, other in found.items() if of[caption] not in moved)


@pytest.mark.parametrize("name", ["train", "validation"])
def test_every_caption_is_embedded_as_one_of_another_concept(name: Name, dataset: CachedDataset) -> None:
    concepts = dataset.split(name).caption_concepts
    clean, wrong = own(dataset, name), texts(dataset, name)
    for row, concept in zip(wrong, concepts, strict=True):
        matches = concepts[(clean == row).all(axis=1)]
        assert len(matches) > 0  # as sharp as the other teacher's: one of its own embeddings
        assert concept not in matches


def test_images_and_scale_are_the_other_teachers(dataset: CachedDataset) -> None:
    data = DatasetTeacherData(Retrieval(), dataset)
    towers, clean = LabelShuffled(teacher=SAGE).towers(data), build("teacher", SAGE).towers(data)
    assert towers.image.key == clean.image.key
    assert towers.text.key != clean.text.key
    assert towers.logit_scale == clean.logit_scale


def test_half_an_expert(dataset: CachedDataset) -> None:
    right = (own(dataset) == texts(dataset, share=0.5)).all(axis=1)
    concepts = dataset.split("train").caption_concepts
    assert len(set(concepts[right])) == len(set(concepts[~right])) == len(set(concepts)) / 2


def test_the_seed_draws_the_circle(dataset: CachedDataset) -> None:
    assert np.array_equal(texts(dataset, seed=1), texts(dataset, seed=1))
    assert not np.array_equal(texts(dataset, seed=1), texts(dataset, seed=2))


def test_captions_it_has_not_seen_are_refused(dataset: CachedDataset) -> None:
    data = DatasetTeacherData(Retrieval(), dataset)
    towers = LabelShuffled(teacher=SAGE).towers(data)
    with pytest.raises(KdbenchError, match="'a stranger' is not in the train or validation split"):
        towers.text.encode(["a stranger"], "cpu")


def test_a_teacher_that_looks_captions_up_by_their_ids(tmp_path: Path) -> None:
    """Each caption has the embedding of a caption of another concept."""
    data = DatasetTeacherData(Retrieval(), cached(tmp_path, Shapes()))
    inner: dict[str, Any] = {"use": "embeddings", "miniature": True}
    with building_with(toy_plugins(teachers=[*kdbench_teachers(), *embeddings.kdbench_teachers()])):
        clean, wrong = (
            np.array(data.encode(teacher.towers(data).text, "train"))
            for teacher in (build("teacher", inner), LabelShuffled(teacher=inner))
        )
    concepts = data.split("train").caption_concepts
    for row, concept in zip(wrong, concepts, strict=True):
        (match,) = concepts[(clean == row).all(axis=1)]
        assert match != concept


def test_opposite_patterns_of_ids_make_experts_on_complementary_concepts(tmp_path: Path) -> None:
    data = DatasetTeacherData(Retrieval(), cached(tmp_path, Shapes()))
    split = data.split("train")
    inner: dict[str, Any] = {"use": "embeddings", "miniature": True}
    with building_with(toy_plugins(teachers=[*kdbench_teachers(), *embeddings.kdbench_teachers()])):
        clean = np.array(data.encode(build("teacher", inner).towers(data).text, "train"))
        experts = [
            (clean == np.array(data.encode(LabelShuffled(teacher=inner, ids=pattern).towers(data).text, "train"))).all(axis=1)
            for pattern in ("red-*", "[!r]*")
        ]
    red = np.array([one.startswith("red-") for one in split.caption_ids])
    assert 0 < red.mean() < 1
    np.testing.assert_array_equal(experts[0], ~red)
    np.testing.assert_array_equal(experts[1], red)


def test_in_cross_validation_it_is_wrong_about_the_items_of_its_fold(dataset: CachedDataset) -> None:
    for index in range(3):
        fold = FoldedDataset(dataset, index, 3)
        data = DatasetTeacherData(Retrieval(), fold)
        wrong = LabelShuffled(teacher=SAGE).towers(data).text
        clean = np.array(data.encode(build("teacher", SAGE).towers(data).text, "train"))
        assert (clean != np.array(data.encode(wrong, "train"))).any(axis=1).all()
        assert len(data.encode(wrong, "validation")) == len(fold.split("validation").captions)


def test_a_pattern_that_fits_no_concept_is_refused(dataset: CachedDataset) -> None:
    with pytest.raises(KdbenchError, match=r"found 0 concepts of the train split fitting 'a\*', expected two or more"):
        texts(dataset, ids="a*")
