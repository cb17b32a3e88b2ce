"""The student `moefied_lora`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from kdbench import KdbenchError
from kdbench.plugins.building import building_with
from kdbench.tasks.retrieval import Retrieval
from kdbench.testing import check_student
from kdbench_plugins.students.experts import ExpertAdapters
from kdbench_plugins.students.moefied_lora import MoefiedLora, kdbench_students
from tests.support.adapted import BLOCKED, blocked, check_a_run, embedded
from tests.support.toys import toy_plugins

PLUGINS = toy_plugins(students=[BLOCKED, *kdbench_students()])


def build(use: str = "blocked", **params: Any) -> MoefiedLora:
    torch.manual_seed(5)
    with building_with(PLUGINS):
        return MoefiedLora(student={"use": use}, **({"experts": 4} | params))


def test_the_properties_of_a_student() -> None:
    with building_with(PLUGINS):
        check_student(lambda: MoefiedLora(student={"use": "blocked"}))


@pytest.mark.parametrize("evaluate", [True, False])
def test_at_first_it_is_the_student_as_it_is_alone(evaluate: bool) -> None:
    student = build()
    torch.manual_seed(5)
    expected = embedded(blocked().module)
    torch.testing.assert_close(embedded(student.module, evaluate), expected, rtol=0, atol=1e-6)


def test_every_step_of_a_training_fades_the_scales() -> None:
    student = build(fade=0.5)
    for _ in range(3):
        Retrieval().after_step(student)
    routers = [router for _, router in cast(ExpertAdapters, student.adapters).routers]
    assert [float(router.omega) for router in routers] == [0.875, 0.875]
    names = [name for name, _ in cast(nn.Module, student.module).named_buffers() if name.endswith("omega")]
    assert len(names) == 2, "in the state: a resumed run continues to fade"


def test_a_student_without_ffns_says_so() -> None:
    with pytest.raises(KdbenchError, match="student moefied_lora: found no FFN in the student"):
        build("toy")


def test_a_run_resumes(tmp_path: Path) -> None:
    check_a_run("moefied_lora", kdbench_students(), tmp_path, rank=2, experts=4)
