"""What a teacher can reach, and what it need not make twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from kdbench import Batch, Modality, NoTower, PluginError, TeacherData, Towers
from kdbench.suite.settings import Evaluate, Train
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.tasks.retrieval.teachers import rank_teacher, teach
from kdbench.training import fit
from kdbench.training.loop import train
from kdbench.training.stage import Stage
from tests.support.toys import (
    SEEN,
    Beads,
    Count,
    Pixels,
    Projection,
    Sage,
    Tokens,
    bits,
    cached,
    encoded,
    module_of,
    shared_toy,
    toy,
)

RETRIEVAL = Retrieval()
RECIPE: dict[str, Any] = {"epochs": 2, "batch_size": 8, "lr": 0.02, "precision": "fp32", "seed": 3}


@pytest.fixture
def data(tmp_path: Path) -> DatasetTeacherData:
    return DatasetTeacherData(RETRIEVAL, cached(tmp_path))


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Counts trainings."""
    counted = Count(train)
    monkeypatch.setattr(fit, "train", counted)
    return counted


def test_a_teacher_sees_train_and_validation(data: DatasetTeacherData) -> None:
    assert (data.device, data.size) == ("cpu", 6)
    splits: list[Literal["train", "validation"]] = ["train", "validation"]
    for name in splits:
        expected = Beads().split(name)
        np.testing.assert_array_equal(data.encode(Pixels(), name), np.stack(list(expected.images)))
        found = data.split(name)
        assert list(found.captions) == list(expected.captions)
        np.testing.assert_array_equal(found.image_concepts, expected.image_concepts)
        np.testing.assert_array_equal(found.caption_concepts, expected.caption_concepts)
        np.testing.assert_array_equal(np.stack(list(found.images)), np.stack(list(expected.images)))


@pytest.mark.parametrize("split", ["test", "Test", "", None])
def test_a_teacher_is_refused_any_other_split(data: DatasetTeacherData, split: Any) -> None:
    for ask in (lambda: data.encode(Pixels(), split), lambda: data.split(split)):
        with pytest.raises(PluginError, match=f"a teacher asked for the {split!r} split"):
            ask()


def test_it_shows_nothing_but_the_contract(data: DatasetTeacherData) -> None:
    """In particular not the dataset, which has a test split."""
    public = {name for name in dir(data) if not name.startswith("_")}
    assert public == {"device", "size", "split", "encode", "fit"}


def test_fit_is_the_one_training_loop(data: DatasetTeacherData, tmp_path: Path) -> None:
    """Without teachers, at the best validation epoch, then frozen."""
    fitted = module_of(data.fit("toy", toy, RECIPE))
    torch.manual_seed(3)
    student = toy()
    settings = Train(**{name: value for name, value in RECIPE.items() if name != "seed"})
    train_split, validation = encoded(tmp_path, student, "train"), encoded(tmp_path, student, "validation")
    train(RETRIEVAL, student, train_split, validation, [Stage(settings)], Evaluate(), 3, "cpu")
    assert bits(fitted.state_dict()) == bits(module_of(student).state_dict())
    assert not fitted.training
    assert not any(parameter.requires_grad for parameter in fitted.parameters())


def test_a_teacher_is_trained_once(data: DatasetTeacherData, trainings: Count, tmp_path: Path) -> None:
    first = bits(module_of(data.fit("toy", toy, RECIPE)).state_dict())
    torch.manual_seed(12)
    for other in (data, DatasetTeacherData(RETRIEVAL, cached(tmp_path))):
        fitted = module_of(other.fit("toy", toy, {**RECIPE, "checkpoint_every": 7}))
        assert bits(fitted.state_dict()) == first
        assert not fitted.training
        assert not any(parameter.requires_grad for parameter in fitted.parameters())
    assert trainings.calls == 1


@pytest.mark.parametrize(
    ("key", "recipe", "train_size"),
    [("other", {}, 16), ("toy", {"lr": 0.03}, 16), ("toy", {"seed": 4}, 16), ("toy", {}, 15)],
)
def test_another_key_recipe_seed_or_dataset_is_trained_anew(
    data: DatasetTeacherData, trainings: Count, tmp_path: Path, key: str, recipe: dict[str, Any], train_size: int
) -> None:
    data.fit("toy", toy, RECIPE)
    DatasetTeacherData(RETRIEVAL, cached(tmp_path, Beads(train=train_size))).fit(key, toy, RECIPE | recipe)
    assert trainings.calls == 2


def test_a_seed_that_is_not_given_is_zero(data: DatasetTeacherData, trainings: Count) -> None:
    recipe = {name: value for name, value in RECIPE.items() if name != "seed"}
    data.fit("toy", toy, recipe)
    data.fit("toy", toy, recipe | {"seed": 0})
    assert trainings.calls == 1


@pytest.mark.parametrize("recipe", [{"epoch": 3}, {"epochs": 0}, {"lr": "fast"}, {"views": {"count": 2}}])
def test_a_recipe_that_is_none_is_refused(data: DatasetTeacherData, recipe: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match=f"(?s)a teacher's training recipe is invalid.*{next(iter(recipe))}"):
        data.fit("toy", toy, recipe)


def test_towers_may_share_a_layer(data: DatasetTeacherData) -> None:
    first, again = (module_of(data.fit("shared", shared_toy, RECIPE)) for _ in range(2))
    assert bits(first.state_dict()) == bits(again.state_dict())
    assert first.tower.weight is first.other_tower.weight  # type: ignore[union-attr]


class Peeking:
    """A teacher that wants the test split."""

    def towers(self, data: TeacherData) -> Towers:
        name: Any = "test"
        data.encode(Pixels(), name)
        raise AssertionError("the test split was handed out")


def test_a_teachers_embeddings_are_those_of_the_train_split(tmp_path: Path) -> None:
    found = teach(cached(tmp_path), Sage(width=7, seed=2, scale=12.5), RETRIEVAL)
    split = Beads().split("train")
    image, text = Projection("image", 7, 2), Projection("text", 7, 2)
    np.testing.assert_array_equal(found.image, image.encode(np.stack(list(split.images)), "cpu").numpy().astype(np.float16))
    np.testing.assert_array_equal(found.text, text.encode(split.captions, "cpu").numpy().astype(np.float16))
    assert (found.width, found.logit_scale) == (7, 12.5)
    np.testing.assert_array_equal(found.image_concepts, split.image_concepts)
    np.testing.assert_array_equal(found.caption_concepts, split.caption_concepts)


class Noting(Projection):
    """Notes which split it reads."""

    def encode(self, items: Any, device: str) -> Tensor:
        (Pixels if self.modality == "image" else Tokens)(watch=True).encode(items, device)
        return super().encode(items, device)


class Watched(Sage):
    """Its towers note which split they read."""

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return Towers(Noting("image", 4, 0), Noting("text", 4, 0), 1.0)


def test_teaching_reads_no_other_split(tmp_path: Path) -> None:
    SEEN.clear()
    teach(cached(tmp_path), Watched(), RETRIEVAL)
    assert sorted(set(SEEN)) == ["image train", "text train"]


def test_a_teacher_that_reads_the_test_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="asked for the 'test' split"):
        teach(cached(tmp_path), Peeking(), RETRIEVAL)


class Blind:
    """Texts only."""

    lacks: Modality = "image"

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        return Towers(NoTower("image"), Projection("text", 5, 0), 1.0)


def test_a_teacher_of_texts_has_images_of_width_0_and_no_logits(tmp_path: Path) -> None:
    data = cached(tmp_path)
    stored = teach(data, Blind(), RETRIEVAL)
    assert stored.width == 5
    batch = Batch(torch.tensor([0, 3]), torch.tensor([1, 2]), torch.tensor([0, 3]), 0.0)
    found = stored.outputs(batch, "cpu")
    assert found.image.shape == (2, 0)
    torch.testing.assert_close(found.text.norm(dim=1), torch.ones(2))
    with pytest.raises(PluginError, match="found no image tower; expected both towers"):
        RETRIEVAL.distributions(found)
    with pytest.raises(PluginError, match="itself cannot be evaluated: found one tower"):
        rank_teacher(data, Blind(), "validation", RETRIEVAL)
