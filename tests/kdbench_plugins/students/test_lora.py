"""The student `lora`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch

import kdbench
from kdbench import KdbenchError
from kdbench.plugins.building import building_with
from kdbench.tasks.retrieval import Retrieval
from kdbench.testing import check_student
from kdbench_plugins.students import warm_start
from kdbench_plugins.students.lora import Lora, kdbench_students
from tests.support.adapted import BLOCKED, Towers, blocked, check_a_run, embedded, moved
from tests.support.toys import bits, cached, module_of, toy_plugins

PLUGINS = toy_plugins(students=[BLOCKED, *kdbench_students()])


def build(seed: int = 0, **params: Any) -> Lora:
    torch.manual_seed(seed)
    with building_with(PLUGINS):
        return Lora(student={"use": "blocked"}, **params)


def test_the_properties_of_a_student() -> None:
    with building_with(PLUGINS):
        check_student(lambda: Lora(student={"use": "blocked"}))


def test_the_base_is_the_student_as_it_is_alone() -> None:
    student = build(5)
    torch.manual_seed(5)
    alone = blocked()
    assert embedded(student.module).equal(embedded(alone.module))
    student.finalize()
    assert bits(module_of(student).state_dict()) == bits(module_of(alone).state_dict())


def test_additions_are_made_to_the_weights_that_the_inner_student_prepares(tmp_path: Path) -> None:
    warm: dict[str, Any] = {"use": "warm_start", "student": {"use": "toy"}, "epochs": 1, "batch_size": 8}
    states = []
    with building_with(toy_plugins(students=[*kdbench_students(), *warm_start.kdbench_students()])):
        for spec in (warm, {"use": "lora", "student": warm}):
            torch.manual_seed(0)
            student = kdbench.build("student", spec)
            added = {name: value for name, value in bits(student.module.state_dict()).items() if name.endswith((".A", ".B"))}
            Retrieval().prepare(cached(tmp_path), student)
            after = bits(student.module.state_dict())
            assert {name: after[name] for name in added} == added
            states.append(bits(cast(Any, student.finalize()).state_dict()))
    assert states[0] == states[1]


def test_finalized_it_has_the_architecture_of_the_student() -> None:
    student = build()
    moved(student.module)
    expected = embedded(student.module)
    found = student.finalize()
    assert embedded(found).equal(expected)
    assert {name: value.shape for name, value in module_of(student).state_dict().items()} == {
        name: value.shape for name, value in Towers().state_dict().items()
    }


def test_layers_are_chosen_by_their_names() -> None:
    chosen = build(layers=["text.*", "image.attn"], rank=1).adapters.added
    whole = build().adapters.added
    assert (len(chosen), len(whole)) == (5, 9)
    with pytest.raises(KdbenchError, match=r"student lora: layers: found 'txt\.\*', which fits no layer with a weight matrix"):
        build(layers=["txt.*"])


def test_a_student_that_is_not_of_open_clip_says_so() -> None:
    with pytest.raises(KdbenchError, match="student lora: found a student, Toy, that is not an open_clip model; expected"):
        build().open_clip()


def test_a_run_resumes(tmp_path: Path) -> None:
    check_a_run("lora", kdbench_students(), tmp_path, rank=2)
