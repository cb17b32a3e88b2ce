"""Students of a suite's runs: found once, measured once, in a fresh process, and what is kept of it."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from kdbench.deploy.profile import Profile, find_profiles, profile_path, read_profile, students, write_profile
from kdbench.deploy.profile.__main__ import Request, _answer
from kdbench.deploy.profile.candidates import candidates
from kdbench.deploy.profile.child import Unmeasured, measured_apart
from kdbench.deploy.profile.students import profile_students
from kdbench.errors import KdbenchWarning, RecordError
from kdbench.plugins.building import building_with
from kdbench.records.provenance import host
from kdbench.records.record import Record, find_records, write_record
from kdbench.suite.plan import RunSpec
from tests.support.paths import ROOT
from tests.support.toys import Count, plugged, run_spec, toy_plugins

REQUEST: dict[str, Any] = {
    "student": plugged("toy", width=4096),
    "gallery": 20,
    "size": 6,
    "captions": ["train string red green blue red green blue"],
    "device": "cpu",
    "batches": [1, 2],
    "threads": 1,
    "seconds": 0.001,
}
WIDE = plugged("toy", "wide", width=16)
SPECS = [run_spec(seed=seed, student=student) for seed in (0, 1) for student in (plugged("toy"), WIDE)]


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the toys a plugin of every process started from here, as an installed distribution is."""
    site = tmp_path / "site"
    info = site / "toys-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kdbench]\ntoys = installed_toys:TOYS\n")
    (site / "installed_toys.py").write_text("from tests.support.toys import Toys\nTOYS = Toys()\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (site, ROOT))))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """With the record of one run of the suite, whose gallery has 20 images."""
    folder = tmp_path / "results"
    keep(folder, SPECS[0])
    return folder


def keep(results: Path, spec: RunSpec, **changes: Any) -> None:
    fields: dict[str, Any] = {
        **{"run_id": spec.run_id, "cell_id": spec.cell_id, "label": spec.label, "status": "ok", "spec": spec.as_dict()},
        **{"sizes": {"images": 20, "captions": 30, "concepts": 10}, "versions": {}, "commit": None, "dirty": None},
        **{"host": {}, "device": "cpu", "threads": 1, "started": "", "finished": ""},
    }
    write_record(results, Record(**fields | changes))


def ids(results: Path, specs: list[RunSpec], device: str = "cpu", threads: int = 1) -> list[str]:
    return [one.id for one in candidates(specs, results, device, (1, 32), threads)]


def test_distinct_students_are_found_once(results: Path) -> None:
    """Seeds, teams and labels are nothing to them; parameters and datasets are."""
    renamed = run_spec(student=plugged("toy", "another name"))
    found = candidates([*SPECS, run_spec(("a",)), renamed], results, "cpu", (1, 32), 1)
    assert [one.names for one in found] == [["toy", "another name"], ["wide"]]
    assert [one.student for one in found] == [{"use": "toy", "params": {}}, {"use": "toy", "params": {"width": 16}}]
    assert [one.gallery for one in found] == [20, 20]
    other = run_spec(dataset=plugged("beads", seed=1))
    keep(results, other, sizes={"images": 24})
    assert [one.gallery for one in candidates([*SPECS, other], results, "cpu", (1, 32), 1)] == [20, 20, 24]


def test_an_id_holds_what_a_profile_depends_on(results: Path) -> None:
    own = ids(results, SPECS[:1])
    assert len(own[0]) == 12
    others = [ids(results, SPECS[:1], "NVIDIA H100"), ids(results, SPECS[:1], threads=2), ids(results, SPECS[:2])]
    keep(results, SPECS[0], sizes={"images": 21})
    others.append(ids(results, SPECS[:1]))
    assert len({*own, *(id for other in others for id in other)}) == 5


def test_teachers_as_they_are_are_no_students(results: Path) -> None:
    reference = run_spec(team=(), student=plugged("sage"), role="reference")
    assert ids(results, [reference, SPECS[0]]) == ids(results, SPECS[:1])


def test_without_a_record_there_is_no_gallery(tmp_path: Path) -> None:
    keep(tmp_path, SPECS[0], status="failed", sizes={})
    with pytest.warns(KdbenchWarning, match="student toy: not measured, no run on beads has finished"):
        assert candidates(SPECS[:1], tmp_path, "cpu", (1,), 1) == []


def test_a_fresh_process_measures() -> None:
    profile = measured_apart(REQUEST)
    assert profile.parameters == 4096 * (108 + 1 + 18 + 1) + 1
    assert (profile.gallery, profile.threads, sorted(profile.image.latency)) == (20, 1, [1, 2])
    memory = profile.memory
    assert memory is not None
    assert memory.kind == "resident"
    assert memory.peak_mb >= memory.before_mb * 0.999
    assert memory.peak_mb - memory.baseline_mb >= 4 * profile.parameters / 1e6
    assert profile.size_bytes > 4 * profile.parameters


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Counts measurements, which go on in this process: all but their memory is as it would be in another."""

    def here(request: dict[str, Any]) -> Profile:
        with building_with(toy_plugins()):
            answer = _answer(Request.model_validate(request))
        if "reason" in answer:
            raise Unmeasured(answer["reason"])
        return Profile.model_validate(answer["profile"])

    counted = Count(here)
    monkeypatch.setattr(students, "measured_apart", counted)
    return counted


def test_students_are_measured_once(results: Path, tmp_path: Path, measured: Count) -> None:
    told: list[str] = []

    def profile(specs: list[RunSpec]) -> list[Any]:
        folders = (results, tmp_path / "cache", toy_plugins())
        return profile_students(specs, *folders, batches=(1, 2), seconds=0.001, on_student=told.append)

    first = profile(SPECS[:2])
    assert measured.calls == 2
    assert told == ["toy", "wide"]
    assert [one.names for one in first] == [["toy"], ["wide"]]
    assert [one.student for one in first] == [{"use": "toy", "params": {}}, {"use": "toy", "params": {"width": 16}}]
    assert [one.image.parameters for one in first] == [109 * 8, 109 * 16]
    assert profile(SPECS) == first
    assert measured.calls == 2
    assert told == ["toy", "wide"]
    assert [read_profile(path) for path in sorted(find_profiles([results]))] == sorted(first, key=lambda one: one.id)
    assert find_records([results]) == [results / "toys" / f"{SPECS[0].run_id}.json"]  # profiles are not among them

    renamed = profile([SPECS[0], run_spec(student=plugged("toy", "another name"))])
    assert renamed == [first[0].model_copy(update={"names": ["toy", "another name"]})]
    assert read_profile(profile_path(results, "toys", first[0].id)) == renamed[0]
    assert measured.calls == 2

    profile_path(results, "toys", first[1].id).write_text("{}")
    assert profile(SPECS)[1].image.parameters == 109 * 16
    assert measured.calls == 3


def test_one_is_measured_at_a_time(results: Path, tmp_path: Path, measured: Count) -> None:
    """While another process measures, this one waits; what the other has measured is not measured again."""
    cache = tmp_path / "cache"
    cache.mkdir()
    folders = (results, cache, toy_plugins())
    found: list[Profile] = []
    thread = threading.Thread(target=lambda: found.extend(profile_students(SPECS[:1], *folders, batches=(1,), seconds=0.001)))
    with FileLock(cache / f"profile-{host()['id']}.lock"):
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert measured.calls == 0
        (one,) = candidates(SPECS[:1], results, "cpu", (1,), 1)
        theirs = measured_here(one.id)
        write_profile(results, "toys", theirs)
    thread.join(20)
    assert [(one.image, one.measured) for one in found] == [(theirs.image, theirs.measured)]
    assert measured.calls == 0


def measured_here(id: str) -> Profile:
    with building_with(toy_plugins()):
        answer = _answer(Request.model_validate(REQUEST))
    return Profile.model_validate({**answer["profile"], "id": id, "names": ["toy"]})


def test_a_student_that_cannot_be_built_costs_the_others_nothing(results: Path, tmp_path: Path, measured: Count) -> None:
    specs = [run_spec(student=plugged("absent")), SPECS[0]]
    folders = (results, tmp_path / "cache", toy_plugins())
    with pytest.warns(KdbenchWarning, match="student absent: not measured: no student is called 'absent'"):
        found = profile_students(specs, *folders, batches=(1,), seconds=0.001)
    assert [one.names for one in found] == [["toy"]]
    assert measured.calls == 2


def test_a_process_that_dies_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\necho out of memory >&2\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(Unmeasured, match=r"(?s)signal 9.*out of memory"):
        measured_apart(REQUEST)


def test_a_profile_that_cannot_be_read(tmp_path: Path) -> None:
    path = profile_path(tmp_path, "toys", "a" * 12)
    path.parent.mkdir(parents=True)
    with pytest.raises(RecordError, match="cannot be read"):
        read_profile(path)
    path.write_text('{"format": 2}')
    with pytest.raises(RecordError, match="not a profile: format"):
        read_profile(path)
