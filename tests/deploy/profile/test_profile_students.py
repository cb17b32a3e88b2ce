"""Students of a suite's runs: found once, measured once, in a fresh process, and what is kept of it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from kdbench import Offer, Student, StudentModule
from kdbench.deploy.profile import profile_students as module
from kdbench.deploy.profile.__main__ import answer
from kdbench.deploy.profile.distinct_students import distinct_students
from kdbench.deploy.profile.own_process import Request, profile_in
from kdbench.deploy.profile.profile_students import profile_students
from kdbench.errors import KdbenchWarning
from kdbench.plugins.building import building_with
from kdbench.records.files import find_records
from kdbench.records.profile import Profile
from kdbench.records.profiles import find_profiles, profile_path, read_profile, write_profile
from kdbench.records.provenance import host
from kdbench.runs.execute import execute
from kdbench.storage.locks import lock_file
from kdbench.suite.spec import RunSpec
from tests.support.patience import PATIENCE
from tests.support.profiled import REQUEST, SPECS, keep
from tests.support.toys import Count, Toy, TwoTowers, plugged, run_context, run_spec, towers_of, toy_plugins


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """With the record of one run of the suite, whose gallery has 20 images."""
    folder = tmp_path / "results"
    keep(folder, SPECS[0])
    return folder


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Counts measurements, which go on in this process: all but their memory is as it would be in another."""

    def here(request: Request) -> Profile:
        with building_with(toy_plugins()):
            return profile_in(answer(request))

    counted = Count(here)
    monkeypatch.setattr(module, "measured_apart", counted)
    return counted


def test_students_are_measured_once(results: Path, tmp_path: Path, measured: Count) -> None:
    told: list[str] = []

    def profile(specs: list[RunSpec]) -> list[Any]:
        folders = (results, tmp_path / "cache", toy_plugins())
        return profile_students(specs, *folders, batch_sizes=(1, 2), seconds=0.001, on_student=told.append)

    first = profile(SPECS[:2])
    assert measured.calls == 2
    assert told == ["toy", "wide"]
    assert [one.names for one in first] == [["toy"], ["wide"]]
    assert [one.student for one in first] == [{"use": "toy", "params": {}}, {"use": "toy", "params": {"width": 16}}]
    assert [one.parts["image"].parameters for one in first] == [109 * 8, 109 * 16]
    assert profile(SPECS) == first
    assert measured.calls == 2
    assert told == ["toy", "wide"]
    assert [read_profile(path) for path in sorted(find_profiles([results]))] == sorted(first, key=lambda one: one.id)
    assert find_records([results]) == [results / "toys" / f"{SPECS[0].run_id}.json"]  # profiles are not among them

    renamed = profile([SPECS[0], run_spec(student=plugged("toy", "another name"))])
    assert renamed == [first[0].replace(names=["toy", "another name"])]
    assert read_profile(profile_path(results, "toys", first[0].id)) == renamed[0]
    assert measured.calls == 2

    profile_path(results, "toys", first[1].id).write_text("{}")
    assert profile(SPECS)[1].parts["image"].parameters == 109 * 16
    assert measured.calls == 3


def test_one_is_measured_at_a_time(results: Path, tmp_path: Path, measured: Count) -> None:
    """While another process measures, this one waits; what the other has measured is not measured again."""
    cache = tmp_path / "cache"
    cache.mkdir()
    folders = (results, cache, toy_plugins())
    found: list[Profile] = []
    thread = threading.Thread(
        target=lambda: found.extend(profile_students(SPECS[:1], *folders, batch_sizes=(1,), seconds=0.001))
    )
    with lock_file(cache / f"profile-{host()['id']}.lock"):
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert measured.calls == 0
        (one,) = distinct_students(SPECS[:1], results, toy_plugins(), "cpu", (1,), 1)
        theirs = measured_here(one.id)
        write_profile(results, "toys", theirs)
    thread.join(PATIENCE)
    assert [(one.parts, one.measured) for one in found] == [(theirs.parts, theirs.measured)]
    assert measured.calls == 0


def measured_here(id: str) -> Profile:
    with building_with(toy_plugins()):
        return profile_in(answer(REQUEST)).replace(id=id, names=["toy"])


def test_a_student_that_cannot_be_built_costs_the_others_nothing(results: Path, tmp_path: Path, measured: Count) -> None:
    specs = [run_spec(student=plugged("absent")), SPECS[0]]
    folders = (results, tmp_path / "cache", toy_plugins())
    with pytest.warns(KdbenchWarning, match="student absent: not measured: no student is called 'absent'"):
        found = profile_students(specs, *folders, batch_sizes=(1,), seconds=0.001)
    assert [one.names for one in found] == [["toy"]]
    assert measured.calls == 2


def test_a_profile_from_before_a_parameter_was_added_is_found(results: Path, tmp_path: Path, measured: Count) -> None:
    """Its id was a hash of all parameters then, and it does not know the new one."""
    folders = (results, tmp_path / "cache", toy_plugins())
    (first,) = profile_students(SPECS[:1], *folders, batch_sizes=(1,), seconds=0.001)
    profile_path(results, "toys", first.id).unlink()
    older = first.replace(id="0123456789ab")
    write_profile(results, "toys", older)
    grown = plugged("toy", depth=2).replace(defaults={"depth": 2})
    spec = SPECS[0].replace(student=grown)
    assert profile_students([spec], *folders, batch_sizes=(1,), seconds=0.001) == [older.replace(names=["toy"])]
    assert measured.calls == 1
    assert profile_students(SPECS[:1], *folders, batch_sizes=(2,), seconds=0.001)[0].id != older.id  # other batch sizes
    assert measured.calls == 2


def test_a_student_of_other_code_is_measured_again(results: Path, tmp_path: Path, measured: Count) -> None:
    def profile() -> list[Profile]:
        return profile_students(SPECS[:1], results, tmp_path / "cache", toy_plugins(), batch_sizes=(1, 2), seconds=0.001)

    (first,) = profile()
    assert first.code
    for code, calls in ((first.code, 1), ("", 1), ("0" * 64, 2)):
        write_profile(results, SPECS[0].suite, first.replace(code=code))
        (again,) = profile()
        assert measured.calls == calls
        assert again.code == ("" if code == "" else first.code)


class Halved(Toy):
    """Half of its image tower is zeros at the end, and sixteen entries more."""

    def __init__(self, *, zeros: bool = True) -> None:
        super().__init__(TwoTowers(8), 8)
        self.zeros = zeros

    def finalize(self) -> StudentModule:
        if self.zeros:
            with torch.no_grad():
                towers_of(cast(Student, self)).image_tower.weight[:4] = 0
                towers_of(cast(Student, self)).image_tower.weight[4, :16] = 0
        return self.module


@pytest.mark.parametrize("zeros", [True, False])
def test_the_zeros_of_a_trained_student_are_told(zeros: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its own weights, which the cache has kept; a student that was built anew has none."""
    where = run_context(tmp_path, students=[Offer("halved", Halved)])
    spec = run_spec(team=(), student=plugged("halved", zeros=zeros))

    def here(request: Request) -> Profile:
        with building_with(where.plugins):
            return profile_in(answer(request.replace(student=plugged("halved", zeros=False))))

    monkeypatch.setattr(module, "measured_apart", here)

    def profiled(results: Path) -> Profile:
        [found] = profile_students([spec], results, where.cache.root, where.plugins, batch_sizes=(1,), seconds=0.001)
        return found

    keep(tmp_path / "untrained", spec)
    assert profiled(tmp_path / "untrained").extra == {}
    assert execute(spec, where).status == "ok"
    found = profiled(where.results)
    image, text = 109 * 8, 19 * 8
    assert found.parameters == image + text + 1
    left = image - 4 * 108 - 16
    told = {"image": left, "text": text, "total": left + text + 1}
    assert found.extra == ({f"non-zero {part} (M)": count / 1e6 for part, count in told.items()} if zeros else {})
