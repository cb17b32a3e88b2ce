"""The distinct students of a suite's runs: found once, whatever their labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.deploy.profile.distinct_students import distinct_students
from kdbench.errors import KdbenchWarning
from kdbench.suite.spec import RunSpec, TaskDataset
from tests.support import regression_task
from tests.support.profiled import SPECS, keep
from tests.support.toys import plugged, run_spec, toy_plugins


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """With the record of one run of the suite, whose gallery has 20 images."""
    folder = tmp_path / "results"
    keep(folder, SPECS[0])
    return folder


def ids(results: Path, specs: list[RunSpec], device: str = "cpu", threads: int = 1) -> list[str]:
    return [one.id for one in distinct_students(specs, results, toy_plugins(), device, (1, 32), threads)]


def test_distinct_students_are_found_once(results: Path) -> None:
    """Seeds, teams and labels are nothing to them; parameters and datasets are."""
    renamed = run_spec(student=plugged("toy", "another name"))
    found = distinct_students([*SPECS, run_spec(("a",)), renamed], results, toy_plugins(), "cpu", (1, 32), 1)
    assert [one.names for one in found] == [["toy", "another name"], ["wide"]]
    assert [one.student.plain for one in found] == [{"use": "toy", "params": {}}, {"use": "toy", "params": {"width": 16}}]
    assert [one.gallery for one in found] == [20, 20]
    other = run_spec(dataset=plugged("beads", seed=1))
    keep(results, other, sizes={"images": 24})
    assert [one.gallery for one in distinct_students([*SPECS, other], results, toy_plugins(), "cpu", (1, 32), 1)] == [
        20,
        20,
        24,
    ]


def test_an_id_holds_what_a_profile_depends_on(results: Path) -> None:
    own = ids(results, SPECS[:1])
    assert len(own[0]) == 12
    others = [ids(results, SPECS[:1], "NVIDIA H100"), ids(results, SPECS[:1], threads=2), ids(results, SPECS[:2])]
    keep(results, SPECS[0], sizes={"images": 21})
    others.append(ids(results, SPECS[:1]))
    assert len({*own, *(id for other in others for id in other)}) == 5


def test_teachers_themselves_are_no_students(results: Path) -> None:
    reference = run_spec(team=(), student=plugged("sage"), role="reference")
    assert ids(results, [reference, SPECS[0]]) == ids(results, SPECS[:1])


def test_a_student_is_measured_on_the_dataset_it_is_trained_on(results: Path) -> None:
    far = TaskDataset(task=SPECS[0].task, dataset=SPECS[0].dataset)
    transfer = SPECS[0].replace(dataset=plugged("beads", "far", seed=1), trained_on=far)
    keep(results, transfer)
    assert ids(results, [transfer, SPECS[0]]) == ids(results, SPECS[:1])


def test_without_a_record_there_is_no_gallery(tmp_path: Path) -> None:
    keep(tmp_path, SPECS[0], status="failed", sizes={})
    with pytest.warns(KdbenchWarning, match="toy: not measured: the size of its gallery is unknown because no run on beads"):
        assert distinct_students(SPECS[:1], tmp_path, toy_plugins(), "cpu", (1,), 1) == []


def test_the_id_leaves_defaults_out(results: Path) -> None:
    grown = plugged("toy", depth=2).replace(defaults={"depth": 2})
    assert ids(results, [SPECS[0].replace(student=grown)]) == ids(results, SPECS[:1])


def test_a_task_that_does_not_search_needs_no_record(tmp_path: Path) -> None:
    plugins = toy_plugins()
    plugins.register(regression_task, "tests:regression")
    spec = run_spec((), task=plugged("regression"), dataset=plugged("vectors"), student=plugged("perceptron"))
    assert [one.gallery for one in distinct_students([spec], tmp_path, plugins, "cpu", (1,), 1)] == [None]
