"""The teacher `backbones` with real training data: real weights, a few emoji, one training."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from kdbench import Split, SplitName, Towers
from kdbench.data.dataset import CachedDataset
from kdbench.plugins.parameters import params_model
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.one_way import ranks
from kdbench.tasks.retrieval.ranks import retrieval_metrics
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench_plugins.datasets.emoji import Emoji
from kdbench_plugins.teachers.backbones import Backbones, kdbench_teachers
from tests.support.toys import cached

[OFFER] = kdbench_teachers()
SHORT: dict[str, Any] = {"resolution": 32, "epochs": 20, "batch_size": 32, "lr": 5e-3, "hidden": 64, "width": 16}


class FewEmoji:
    """The first images of each split of the emoji dataset, with all their captions."""

    size = 32
    licence = Emoji.licence

    def __init__(self) -> None:
        self.whole = Emoji(size=self.size)
        self.fingerprint = f"few {self.whole.fingerprint}"

    def split(self, name: SplitName) -> Split:
        whole, count = self.whole.split(name), {"train": 192, "validation": 32, "test": 2}[name]
        kept = np.isin(whole.caption_concepts, whole.image_concepts[:count])
        captions = [caption for caption, keep in zip(whole.captions, kept, strict=True) if keep]
        return Split(whole.images[:count], captions, whole.image_concepts[:count], whole.caption_concepts[kept])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CachedDataset:
    return cached(tmp_path_factory.mktemp("few"), FewEmoji())


def teach(dataset: CachedDataset, **params: Any) -> Towers:
    return Backbones(image="efficientnet_lite0", **SHORT | params).towers(DatasetTeacherData(Retrieval(), dataset))


@pytest.fixture(scope="module")
def towers(dataset: CachedDataset) -> Towers:
    return teach(dataset)


def embeddings(dataset: CachedDataset, towers: Towers) -> tuple[NDArray[Any], NDArray[Any]]:
    return dataset.encode(towers.image, "train"), dataset.encode(towers.text, "train")


def test_it_learns_which_belong_together(dataset: CachedDataset, towers: Towers) -> None:
    split = dataset.split("train")
    images, texts = embeddings(dataset, towers)
    found = retrieval_metrics(
        ranks(images, texts, split.image_concepts, split.caption_concepts),
        ranks(texts, images, split.caption_concepts, split.image_concepts),
        [10],
    )
    assert found["mean_recall"] > 40  # found 57; by chance about 10


def test_towers_are_unit_vectors_over_cached_features(dataset: CachedDataset, towers: Towers) -> None:
    for tower, features in ((towers.image, 1280), (towers.text, 384)):
        assert tower.base is not None
        stored = dataset.encode(tower.base, "train")
        assert stored.shape[1:] == (features,)
        assert stored.dtype == np.float16
        vectors = tower.encode(stored[:5], "cpu")
        assert vectors.shape == (5, SHORT["width"])
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    assert 1 < towers.logit_scale <= 100


def test_asked_again_it_is_the_same_teacher_without_training(dataset: CachedDataset, towers: Towers) -> None:
    again = teach(dataset)
    assert (again.image.key, again.text.key) == (towers.image.key, towers.text.key)
    assert again.logit_scale == towers.logit_scale


def test_seeds_make_different_teachers_of_the_same_features(dataset: CachedDataset, towers: Towers) -> None:
    other = teach(dataset, seed=1, epochs=1)
    assert other.image.key != towers.image.key
    assert other.text.key != towers.text.key
    assert other.image.base is not None
    assert towers.image.base is not None
    assert other.image.base.key == towers.image.base.key


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": "efficientnet_b0"},
        {"text": "bert"},
        {"resolution": 16},
        {"width": 0},
        {"hidden": -1},
        {"dropout": 1.0},
        {"epochs": 0},
        {"batch_size": 1},
        {"lr": 0.0},
        {"warmup": 1.0},
    ],
)
def test_a_suite_is_told_of_wrong_values(wrong: dict[str, Any]) -> None:
    schema = params_model(OFFER)
    schema(image="efficientnet_lite0")
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        schema(**{"image": "efficientnet_lite0"} | wrong)


def test_building_is_cheap(tmp_path: Path) -> None:
    """Neither importing the plugin nor building the teacher reads weights or imports torch."""
    code = (
        "import sys; from kdbench_plugins.teachers.backbones import Backbones; Backbones(image='efficientnet_lite0');"
        "print([name for name in ('torch', 'numpy', 'PIL', 'timm', 'open_clip', 'sentence_transformers')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"
