"""The teacher `trained`, with real training data with the toys and with a small open_clip student."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from kdbench import KdbenchError, Offer, Teacher, Uses, build
from kdbench.data.dataset import CachedDataset
from kdbench.plugins.building import building_with
from kdbench.plugins.parameters import check_deeper, nested_uses, params_model
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench_plugins.students import openclip
from kdbench_plugins.teachers.tower import Tower
from kdbench_plugins.teachers.trained import Trained, files_in, kdbench_teachers
from tests.support.clip_folders import CONFIG, changed, clip_folder
from tests.support.toys import Sage, cached, toy_plugins

[OFFER] = kdbench_teachers()
SHORT: dict[str, Any] = {"epochs": 3, "batch_size": 8, "lr": 0.02}


@pytest.fixture
def dataset(tmp_path: Path) -> CachedDataset:
    return cached(tmp_path)


@pytest.fixture(autouse=True)
def plugins() -> Iterator[None]:
    with building_with(toy_plugins(students=openclip.kdbench_students())):
        yield


def teacher_data(dataset: CachedDataset) -> DatasetTeacherData:
    return DatasetTeacherData(Retrieval(), dataset)


def test_the_student_is_trained_and_kept(dataset: CachedDataset) -> None:
    spec = {"use": "toy", "width": 6}
    towers = Trained(student=spec, **SHORT).towers(teacher_data(dataset))
    fresh = build("student", spec)
    assert towers.image.base is not None
    assert towers.image.base.key == fresh.images.key
    assert dataset.encode(towers.image, "train").shape == (32, 6)
    same = Trained(student=dict(spec), **SHORT).towers(teacher_data(dataset))
    assert (same.image.key, same.text.key) == (towers.image.key, towers.text.key)


def test_key_follows_student_recipe_and_seed(dataset: CachedDataset) -> None:
    def key(width: int = 6, **recipe: Any) -> str:
        student = {"use": "toy", "width": width}
        return Trained(student=student, **SHORT | recipe).towers(teacher_data(dataset)).image.key

    keys = [key(), key(width=5), key(epochs=2), key(seed=1)]
    assert len(set(keys)) == len(keys)


def test_an_openclip_student_teaches(dataset: CachedDataset) -> None:
    config = {
        "embed_dim": 8,
        "vision_cfg": {"timm_model_name": "test_efficientnet", "image_size": 32},
        "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    teacher = Trained(student={"use": "openclip", "config": config}, epochs=1, batch_size=8)
    towers = teacher.towers(teacher_data(dataset))
    for tower in (towers.image, towers.text):
        assert isinstance(tower, Tower)
        assert not tower.module.training
        vectors = dataset.encode(tower, "train").astype(np.float32)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_another_checkpoint_under_the_same_path_is_another_student(tmp_path: Path) -> None:
    checkpoint = tmp_path / "start.pt"
    spec = {"use": "openclip", "pretrained": str(checkpoint), "config": {"list": [str(checkpoint)], "number": 3}}
    assert files_in(spec) == []
    checkpoint.write_bytes(b"one")
    one = files_in(spec)
    checkpoint.write_bytes(b"two")
    assert len(one) == 2
    assert one != files_in(spec)


def test_another_model_under_the_same_folder_is_another_student(dataset: CachedDataset, tmp_path: Path) -> None:
    """Its files keep their names, and their weights may even be equal: `quick_gelu` changes no tensor."""

    def key(**changes: Any) -> str:
        config = changed(CONFIG, ("text_cfg", "context_length"), 8) | changes
        folder = clip_folder(tmp_path / "model", config)
        towers = Trained(student={"use": "openclip", "model": folder}, epochs=1, batch_size=8).towers(teacher_data(dataset))
        again = Trained(student={"use": "openclip", "model": folder}, epochs=1, batch_size=8).towers(teacher_data(dataset))
        assert towers.image.key == again.image.key
        return towers.image.key

    assert key() != key(quick_gelu=True)


# Taught by a team

TEAM: dict[str, Any] = {"a": {"use": "sage", "seed": 1}, "b": {"use": "sage", "seed": 2, "width": 10}}
STUDENT: dict[str, Any] = {"use": "toy", "width": 6}


def weights(dataset: CachedDataset, **params: Any) -> dict[str, torch.Tensor]:
    tower = Trained(student=STUDENT, **SHORT | params).towers(teacher_data(dataset)).image
    assert isinstance(tower, Tower)
    return tower.module.state_dict()


def test_a_team_teaches_what_then_teaches(dataset: CachedDataset) -> None:
    alone, taught, again = weights(dataset), weights(dataset, teachers=TEAM), weights(dataset, teachers=TEAM)
    assert not torch.equal(alone["image_tower.weight"], taught["image_tower.weight"])
    assert all(torch.equal(taught[name], again[name]) for name in taught)
    assert set(taught) == set(alone), "heads of objectives are no part of it"


def test_with_losses_of_no_weight_it_is_trained_alone(dataset: CachedDataset) -> None:
    alone, taught = weights(dataset), weights(dataset, teachers=TEAM, distill=0.0)
    assert all(torch.equal(alone[name], taught[name]) for name in alone)


def test_what_teaches_it_is_in_its_key(dataset: CachedDataset) -> None:
    def key(**params: Any) -> str:
        return Trained(student=STUDENT, **SHORT | params).towers(teacher_data(dataset)).image.key

    one = {"a": TEAM["a"]}
    keys = [
        key(),
        key(teachers=one),
        key(teachers=TEAM),
        key(teachers=TEAM, distill=0.5),
        key(teachers=TEAM, objective=[{"use": "feature"}]),
        key(teachers=TEAM, objective=[{"use": "feature", "coefficient": 2}]),
        key(teachers=TEAM, strategy={"use": "ammkd"}),
        key(teachers=TEAM | {"b": {"use": "sage", "seed": 3}}),
    ]
    assert len(set(keys)) == len(keys)


def test_a_teacher_that_changes_under_the_same_spec_teaches_another(dataset: CachedDataset) -> None:
    seed = 1

    def moody() -> Teacher:
        return Sage(seed=seed)

    with building_with(toy_plugins(teachers=[Offer("moody", moody)])):
        before = weights(dataset, teachers={"a": {"use": "moody"}})
        seed = 2
        after = weights(dataset, teachers={"a": {"use": "moody"}})
    assert not torch.equal(before["image_tower.weight"], after["image_tower.weight"])


def test_without_teachers_its_cache_key_is_what_it_was(dataset: CachedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published records belong to what is cached by it."""
    seen: list[tuple[Any, ...]] = []
    data = teacher_data(dataset)
    fit = data.fit

    def watched(*given: Any) -> Any:
        seen.append(given)
        return fit(*given)

    monkeypatch.setattr(data, "fit", watched)
    Trained(student=STUDENT, **SHORT).towers(data)
    [(key, _, recipe, distillation)] = seen
    assert key == '["trained", {"use": "toy", "width": 6}, []]'
    assert (recipe["distill"], distillation) == (1.0, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objective": [{"use": "feature"}]}, "found `objective:` and no teachers"),
        ({"strategy": {"use": "equal"}}, "found `strategy:` and no teachers"),
        ({"teachers": {"a": TEAM["a"]}, "strategy": {"use": "equal"}}, "found `strategy:` and one teacher"),
    ],
)
def test_what_is_for_a_team_needs_one(given: dict[str, Any], message: str) -> None:
    with pytest.raises(KdbenchError, match=message):
        check_deeper(OFFER, {"student": STUDENT, **given})


def test_schema() -> None:
    assert nested_uses(OFFER) == {
        "student": Uses("student"),
        "teachers": Uses("teacher", several=True),
        "objective": Uses("objective", several=True),
        "strategy": Uses("strategy"),
    }
    schema = params_model(OFFER)
    with pytest.raises(ValidationError, match="student"):
        schema()
    with pytest.raises(ValidationError, match="epochs"):
        schema(student={"use": "toy"}, epochs=0)
