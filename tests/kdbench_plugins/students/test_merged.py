"""The student `merged`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kdbench
from kdbench import KdbenchError, Offer, Teacher
from kdbench.plugins.building import building_with
from kdbench.plugins.parameters import check_deeper
from kdbench.records.files import record_path
from kdbench.runs.execute import execute
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.embeddings import encode_split
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.testing import check_student
from kdbench_plugins.students.l_lora import kdbench_students as l_lora
from kdbench_plugins.students.merged import Merged, kdbench_students
from kdbench_plugins.students.merging import merged
from tests.support.adapted import BLOCKED, CONFIG, check_a_run
from tests.support.toys import (
    Sage,
    bits,
    cached,
    module_of,
    plugged,
    rank_split,
    read_ranks,
    run_context,
    run_spec,
    toy_plugins,
)

OFFERS = [BLOCKED, *kdbench_students(), *l_lora()]
PLUGINS = toy_plugins(students=OFFERS)
TEACHERS: dict[str, Any] = {"a": {"use": "sage", "seed": 1}, "b": {"use": "sage", "seed": 2, "width": 9}}
RECIPE: dict[str, Any] = {"epochs": 2, "batch_size": 8, "lr": 0.02}
STUDENT: dict[str, Any] = {"use": "l_lora", "student": {"use": "toy"}}


def build(seed: int = 0, **params: Any) -> Merged:
    torch.manual_seed(seed)
    with building_with(PLUGINS):
        return Merged(**({"student": STUDENT, "teachers": TEACHERS} | RECIPE | params))


def prepared(folder: Path, seed: int = 0, **params: Any) -> Merged:
    student = build(seed, **params)
    with building_with(PLUGINS):
        Retrieval().prepare(cached(folder), student)
    return student


def copies(folder: Path) -> int:
    return len(list((folder / "cache" / "teachers").rglob("weights.safetensors")))


def test_the_properties_of_a_student() -> None:
    with building_with(PLUGINS):
        check_student(lambda: Merged(student={"use": "l_lora", "student": {"use": "blocked"}}, teachers=TEACHERS))


def test_it_is_merged_from_a_copy_for_each_teacher_that_started_from_the_same_weights(tmp_path: Path) -> None:
    student = prepared(tmp_path, method="task_arithmetic")
    data = DatasetTeacherData(Retrieval(), cached(tmp_path))
    with building_with(PLUGINS):
        ends = [student._taught(data, name).state_dict() for name in TEACHERS]
        torch.manual_seed(student.recipe["seed"])
        start = module_of(kdbench.build("student", STUDENT)).state_dict()
    names = [name for name in start if name.endswith(".B")]
    assert len(names) == 2
    assert not any(ends[0][name].equal(ends[1][name]) for name in names)
    assert all(one[name].equal(start[name]) for one in ends for name in start if name not in names and name != "logit_scale")
    expected = merged(start, ends, names, "task_arithmetic", 0.3, 0.2)
    assert bits(module_of(student).state_dict()) == bits(dict(expected))


def test_methods_share_their_copies_and_seeds_do_not(tmp_path: Path) -> None:
    found = [bits(module_of(prepared(tmp_path, method=method)).state_dict()) for method in ("mean", "task_arithmetic", "ties")]
    assert len({str(state) for state in found}) == 3
    assert copies(tmp_path) == 2
    prepared(tmp_path, seed=1)
    assert copies(tmp_path) == 4


def test_its_run_trains_the_logit_scale_alone(tmp_path: Path) -> None:
    context = run_context(tmp_path, students=OFFERS)
    spec = run_spec(student=plugged("merged", student=STUDENT, teachers=TEACHERS, **RECIPE), team=(), train={"epochs": 1})
    with building_with(PLUGINS):
        record = execute(spec, context)
        assert (record.status, record.reason) == ("ok", "")
        torch.manual_seed(spec.training_seed)
        student = Merged(student=STUDENT, teachers=TEACHERS, **RECIPE)
        Retrieval().prepare(cached(tmp_path), student)
    assert [name for name, value in module_of(student).named_parameters() if value.requires_grad] == ["logit_scale"]
    found = rank_split(student, encode_split(cached(tmp_path), student, "test"))
    recorded = read_ranks(record_path(context.results, spec.suite, spec.run_id))
    np.testing.assert_array_equal(found.image, recorded.image)
    np.testing.assert_array_equal(found.text, recorded.text)
    assert record.timings["teacher"] > 0, "with the time of the copies"


def test_what_is_refused() -> None:
    [offer] = kdbench_students()
    for change, message in (
        (
            {"teachers": {"a": TEACHERS["a"]}},
            "student merged: teachers: found 1; expected two or more, each with a copy to merge",
        ),
        ({"scale": 0.5}, "student merged: scale: found 0.5 with `method: mean`; expected none, or `task_arithmetic` or `ties`"),
    ):
        with building_with(PLUGINS), pytest.raises(KdbenchError) as raised:
            check_deeper(offer, {"student": STUDENT, "teachers": TEACHERS} | change)
        assert str(raised.value) == message


def test_a_teacher_of_one_tower_is_refused() -> None:
    class Blind(Sage):
        lacks = "image"

    [offer] = kdbench_students()
    teachers: list[Offer[Teacher]] = [Offer("blind", Blind)]
    with (
        building_with(toy_plugins(students=OFFERS, teachers=teachers)),
        pytest.raises(
            KdbenchError, match=r"student merged: teachers\.c: found a teacher without image tower; expected one with both"
        ),
    ):
        check_deeper(offer, {"student": STUDENT, "teachers": TEACHERS | {"c": {"use": "blind"}}})


def test_a_run_resumes(tmp_path: Path) -> None:
    params: dict[str, Any] = {"student": {"use": "openclip", "config": CONFIG}, "teachers": TEACHERS}
    check_a_run("merged", kdbench_students(), tmp_path, team=(), **params, **RECIPE)
