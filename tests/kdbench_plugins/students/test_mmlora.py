"""The student `mmlora`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from kdbench import KdbenchError
from kdbench.plugins.building import building_with
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.testing import check_student
from kdbench_plugins.students.mmlora import MMLora, kdbench_students
from tests.support.adapted import BLOCKED, check_a_run, moved
from tests.support.toys import bits, cached, module_of, towers_of, toy, toy_plugins

PLUGINS = toy_plugins(students=[BLOCKED, *kdbench_students()])
IMAGE = "[cin]*"  # conv, norm, image
RECIPE: dict[str, Any] = {"epochs": 2, "batch_size": 8, "lr": 0.01}


def build(**params: Any) -> MMLora:
    torch.manual_seed(0)
    with building_with(PLUGINS):
        return MMLora(student={"use": "toy"}, **({"image": "image_*"} | RECIPE | params))


def prepared(folder: Path) -> MMLora:
    student = build()
    with building_with(PLUGINS):
        Retrieval().prepare(cached(folder), student)
    return student


def test_the_properties_of_a_student() -> None:
    with building_with(PLUGINS):
        check_student(lambda: MMLora(student={"use": "blocked"}, image=IMAGE))


def test_without_additions_it_is_the_two_towers_that_were_tuned_apart(tmp_path: Path) -> None:
    student = prepared(tmp_path)
    data = DatasetTeacherData(Retrieval(), cached(tmp_path))
    with building_with(PLUGINS):
        image = student._tuned(data, {"*": 0.0, "image_*": 1.0})
        text = student._tuned(data, {"image_*": 0.0, "logit_scale": 0.0})
    assert len(list((tmp_path / "cache" / "teachers").rglob("weights.safetensors"))) == 2
    torch.manual_seed(0)  # the initial weights of both
    first = module_of(toy()).state_dict()
    for name, before in first.items():
        assert image[name].equal(before) == (not name.startswith("image_"))
        assert text[name].equal(before) == (not name.startswith("text_"))
    student.finalize()
    found = bits(module_of(student).state_dict())
    assert {name: found[name] for name in found if name.startswith("image_")} == {
        name: value for name, value in bits(image).items() if name.startswith("image_")
    }
    assert {name: found[name] for name in found if not name.startswith("image_")} == {
        name: value for name, value in bits(text).items() if not name.startswith("image_")
    }


def test_towers_are_frozen_to_the_bit_and_merged_is_unmerged(tmp_path: Path) -> None:
    student = prepared(tmp_path)
    state = module_of(student).state_dict()
    kept = {name: value for name, value in bits(state).items() if name.endswith((".original", ".bias"))}
    moved(student.module)
    after = bits(module_of(student).state_dict())
    assert {name: after[name] for name in kept} == kept
    assert len(kept) == 4
    towers = towers_of(student)
    expected = [tower.weight.clone() for tower in (towers.image_tower, towers.text_tower)]
    student.finalize()
    assert [towers.image_tower.weight.equal(expected[0]), towers.text_tower.weight.equal(expected[1])] == [True, True]


def test_towers_that_the_pattern_does_not_tell_apart() -> None:
    with pytest.raises(KdbenchError, match=r"student mmlora: image: found 'clip\.visual\.\*', which fits no parameter"):
        build(image="clip.visual.*")


def test_a_run_resumes(tmp_path: Path) -> None:
    check_a_run("mmlora", kdbench_students(), tmp_path, rank=2, **RECIPE)
