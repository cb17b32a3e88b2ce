"""The student `warm_start`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from kdbench.plugins.building import building_with
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench_plugins.students.warm_start import WarmStart, kdbench_students
from kdbench_plugins.teachers.tower import Tower
from kdbench_plugins.teachers.trained import Trained
from tests.support.toys import bits, cached, module_of, toy_plugins

PLUGINS = toy_plugins(students=kdbench_students())
RECIPE: dict[str, Any] = {"student": {"use": "toy", "dropout": 0.1}, "epochs": 2, "batch_size": 8, "seed": 3}


def prepared(folder: Path, seed: int = 0) -> WarmStart:
    torch.manual_seed(seed)
    with building_with(PLUGINS):
        student = WarmStart(**RECIPE)
        Retrieval().prepare(cached(folder), student)
    return student


def test_it_starts_from_the_weights_of_the_teacher_trained(tmp_path: Path) -> None:
    student = prepared(tmp_path)
    with building_with(PLUGINS):
        teacher = Trained(**RECIPE).towers(DatasetTeacherData(Retrieval(), cached(tmp_path)))
    assert bits(module_of(student).state_dict()) == bits(cast(Tower, teacher.image).module.state_dict())
    assert len(list((tmp_path / "cache" / "teachers").rglob("weights.safetensors"))) == 1, "one cache entry for both"
    assert all(parameter.requires_grad for parameter in module_of(student).parameters())


def test_all_seeds_start_from_the_same_weights(tmp_path: Path) -> None:
    one, other = (prepared(tmp_path, seed) for seed in (0, 1))
    assert bits(module_of(one).state_dict()) == bits(module_of(other).state_dict())
