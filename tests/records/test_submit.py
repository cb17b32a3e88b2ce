"""Bundles: the same bytes for the same records, and only records that can be relied on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import kdbench
from kdbench.errors import KdbenchWarning, RecordError
from kdbench.records.files import read_record
from kdbench.records.study_files import read_studies
from kdbench.records.submit import submit
from kdbench.records.verify import verify
from tests.support.made_records import DIGEST, arrays_path, contents, edit, made, packed, several, trace_path, tuned, whats
from tests.support.paths import ROOT


def profile(results: Path, student: dict[str, Any], id: str = "1" * 12) -> Path:
    """The figures of a student."""
    timing = {"median_ms": 1.0, "iqr_ms": 0.1, "blocks": 5}
    tower = {"parameters": 10, "flops": 20, "latency": {"1": timing}}
    about: dict[str, Any] = {
        "host": {"id": "0a1b2c3d"},
        "versions": {},
        "commit": None,
        "dirty": None,
        "measured": "2025-01-01",
    }
    whole = {
        "id": id,
        "student": student,
        "parts": {"image": tower, "text": tower},
        "parameters": 20,
        "size_bytes": 80,
        "gallery": 20,
    }
    path = results / "toys" / "profiles" / f"{id}.profile.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole | about | {"search": timing, "unstable": False, "device": "cpu", "threads": 1}))
    return path


def test_a_bundle_holds_everything_and_verifies(tmp_path: Path) -> None:
    results = tmp_path / "results"
    paths = several(results, 3)
    measured = profile(results, read_record(paths[0]).spec.student.plain)
    profile(results, {"use": "another", "params": {}}, "2" * 12)
    done = submit([results], tmp_path / "new" / "b.zip", by="Ada")
    files = contents(done.path)
    expected = [file for path in paths for file in (path, arrays_path(path), trace_path(path))] + [measured]
    assert files.keys() == {"manifest.json", *(file.relative_to(results).as_posix() for file in expected)}
    assert all(files[file.relative_to(results).as_posix()] == file.read_bytes() for file in expected)
    said = json.loads(files["manifest.json"])
    assert (said["by"], said["kdbench"], said["record_format"], said["dirty"]) == ("Ada", kdbench.__version__, 2, [])
    assert said["files"] == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
        if name != "manifest.json"
    }
    records, problems = verify([done.path])
    assert problems == []
    assert records == done.records == [read_record(path) for path in sorted(paths)]
    assert os.listdir(done.path.parent) == ["b.zip"]


def test_the_same_records_make_the_same_bytes(tmp_path: Path) -> None:
    """From elsewhere, at another time, in another order, or from a bundle."""
    paths = several(tmp_path / "one", 3)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for path in (tmp_path / "two").rglob("*.json"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    first = submit(paths, tmp_path / "a.zip", by="Ada").path
    second = submit([tmp_path / "two"], tmp_path / "b.zip", by="Ada").path
    third = submit([first], tmp_path / "c.zip", by="Ada").path
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()
    with ZipFile(first) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert submit(paths, tmp_path / "d.zip", by="Bob").path.read_bytes() != first.read_bytes()
    assert submit(paths[:2], tmp_path / "e.zip", by="Ada").path.read_bytes() != first.read_bytes()


@pytest.mark.parametrize("suite", ["emoji", "emoji-sweep"])
def test_published_records_are_bundled(suite: str, tmp_path: Path) -> None:
    done = submit([ROOT / "results" / suite], tmp_path / "b.zip")
    assert verify([done.path]) == (done.records, [])
    for name, content in contents(done.path).items():
        assert name == "manifest.json" or (ROOT / "results" / name).read_bytes() == content


def test_tuned_runs_bring_their_studies(tmp_path: Path) -> None:
    """Those that found their parameters, and nothing else of a sweep."""
    results = tmp_path / "results"
    summary, records = tuned(results)
    tuned(results, trials=4, lr=0.06, seeds=0)
    summary.with_suffix(".pareto.json").write_text("{}")
    paths = [*records, made(results)]
    done = submit(sorted(paths), tmp_path / "b.zip")
    name = f"toys/sweep/{summary.name}"
    assert [one for one in done.manifest.files if "sweep" in one] == [name]
    assert done.manifest.files[name].sha256 == hashlib.sha256(summary.read_bytes()).hexdigest()
    assert verify([done.path]) == (done.records, [])
    assert submit([done.path], tmp_path / "c.zip").path.read_bytes() == done.path.read_bytes()
    with ZipFile(done.path) as archive:
        archive.extractall(tmp_path / "others")
    assert verify([tmp_path / "others"]) == (done.records, [])
    (study,), notes = read_studies([tmp_path / "others"])
    assert (study.study, notes) == (summary.stem, [])


def test_an_altered_study_in_a_bundle(tmp_path: Path) -> None:
    """Nothing is used of what the manifest does not vouch for, though it may hold together."""
    summary, records = tuned(tmp_path / "results")
    plain = made(tmp_path / "results")
    done = submit([tmp_path / "results"], tmp_path / "b.zip")
    name = f"toys/sweep/{summary.name}"
    files = contents(done.path)
    edit(summary, lambda content: content["trials"][0].update(seconds=1.5))
    altered = packed(tmp_path / "altered.zip", files | {name: summary.read_bytes()})
    found, problems = verify([altered])
    assert [record.run_id for record in found] == [plain.stem]
    assert whats(problems) == ["altered", *["tuned by a study whose summary has problems"] * len(records)]
    assert {problem.found for problem in problems[1:]} == {problems[0].path} == {f"{altered}:{name}"}


def unstudied(results: Path) -> Path:
    summary, (record,) = tuned(results, seeds=1)
    summary.unlink()
    return record


def smoke(results: Path) -> Path:
    return made(results, 7, spec={"smoke": True})


def failed(results: Path) -> Path:
    empty: dict[str, Any] = {"metrics": {}, "arrays_sha256": None, "trace_sha256": None, "sizes": {}}
    return made(results, 7, status="failed", reason="out of disk", **empty)


def wrong(results: Path) -> Path:
    return made(results, 7, finished="2024-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (smoke, "a smoke run"),
        (failed, "a failed run\n  found     out of disk"),
        (wrong, "finished before"),
        (unstudied, "tuned, without its study's summary"),
    ],
)
def test_what_is_refused(make: Callable[[Path], Path], told: str, tmp_path: Path) -> None:
    several(tmp_path / "results", 2)
    path = make(tmp_path / "results")
    with pytest.raises(RecordError) as raised:
        submit([tmp_path / "results"], tmp_path / "b.zip")
    assert str(raised.value).startswith(f"{path}: {told}")
    assert str(raised.value).endswith("nothing was written: correct these, or submit only the records without problems")
    assert not list(tmp_path.glob("b.zip*"))


def test_a_diverged_run_is_a_result(tmp_path: Path) -> None:
    empty: dict[str, Any] = {"metrics": {}, "arrays_sha256": None, "trace_sha256": None, "sizes": {}}
    path = made(tmp_path, 0, status="diverged", reason="loss nan", **empty)
    done = submit([path], tmp_path / "b.zip")
    assert list(done.manifest.files) == [f"toys/{path.name}"]  # not the files that it does not vouch for
    assert verify([done.path]) == (done.records, [])


def test_dirty_code_is_warned_of_and_marked(tmp_path: Path) -> None:
    clean, dirty = made(tmp_path, 0), made(tmp_path, 1, dirty=True)
    with pytest.warns(KdbenchWarning, match="its code differed from its commit") as warned:
        done = submit([clean, dirty], tmp_path / "b.zip")
    assert len(warned) == 1
    assert done.manifest.dirty == [dirty.stem]
    assert json.loads(contents(done.path)["manifest.json"])["dirty"] == [dirty.stem]


def test_no_record(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="found no record to submit"):
        submit([tmp_path], tmp_path / "b.zip")


@pytest.mark.parametrize("name", ["two\nlines", "x" * 201])
def test_a_name_that_will_not_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="--by: found"):
        submit([made(tmp_path)], tmp_path / "b.zip", by=name)


def test_profiles_that_disagree(tmp_path: Path) -> None:
    """Neither of two is left out in silence."""
    for folder, seed in (("one", 0), ("two", 1)):
        place = profile(tmp_path / folder, read_record(made(tmp_path / folder, seed)).spec.student.plain)
        edit(place, lambda content: content.update(threads=seed + 1))  # noqa: B023  # called at once
    with pytest.raises(RecordError, match="two folders have different measurements under this id"):
        submit([tmp_path], tmp_path / "b.zip")


def test_a_write_that_is_cut_short_leaves_the_old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = submit([made(tmp_path / "r")], tmp_path / "b.zip").path
    before = out.read_bytes()

    def power_cut(*_: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", power_cut)
    with pytest.raises(OSError, match="power cut"):
        submit([made(tmp_path / "s", dataset_digest=DIGEST[::-1])], out, by="Eve")
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.glob("b.zip*")] == ["b.zip"]
