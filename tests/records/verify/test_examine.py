"""What is wrong is named and left out; all the rest stays usable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kdbench.errors import RecordError
from kdbench.records.files import read_record, write_record
from kdbench.records.verify import usable, verify
from tests.support.made_records import arrays_path, edit, made, several, trace_path
from tests.support.paths import ROOT
from tests.support.toys import toy_plugins


def test_records_that_hold_together_are_all_fine(tmp_path: Path) -> None:
    paths = several(tmp_path)
    for deep in (False, True):
        records, problems = usable([tmp_path], deep=deep, plugins=toy_plugins())
        assert problems == []
        assert records == [read_record(path) for path in sorted(paths)]


def test_the_published_records_are_fine() -> None:
    records, problems = verify([ROOT / "results"])
    assert len(records) >= 234
    assert [str(problem) for problem in problems] == []


def test_verifying_imports_no_torch() -> None:
    """It takes seconds, and reviewers of results need none of it."""
    check = "import sys, pathlib; from kdbench.records.verify import verify; verify([pathlib.Path('results/emoji')])"
    done = subprocess.run([sys.executable, "-c", f"{check}; sys.exit('torch' in sys.modules)"], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_a_file_under_another_run_id(tmp_path: Path) -> None:
    """A copy of a record beside it is refused, and the record itself is not."""
    path = made(tmp_path)
    for source in (path, arrays_path(path), trace_path(path)):
        shutil.copy(source, source.with_name(source.name.replace(path.stem, "0" * 12)))
    records, (problem,) = verify([tmp_path])
    assert (problem.found, problem.expected, problem.path) == ("0" * 12, path.stem, str(path.with_name(f"{'0' * 12}.json")))
    assert [record.run_id for record in records] == [path.stem]


def test_a_profile_that_is_none(tmp_path: Path) -> None:
    path = made(tmp_path)
    profile = path.parent / "profiles" / f"{'1' * 12}.profile.json"
    profile.parent.mkdir()
    profile.write_text("{}")
    records, (problem,) = verify([tmp_path])
    assert (problem.path, problem.what) == (str(profile), "not a profile")
    assert len(records) == 1


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    for name in ("absent", "absent.zip", "absent.json"):
        with pytest.raises(RecordError, match=f"{name}: no such file or folder"):
            verify([tmp_path / name])


def test_the_light_look_finds_all(tmp_path: Path) -> None:
    """Of many records; tests/benchmarks times it."""
    full = read_record(made(tmp_path / "one"))
    for seed in range(200):
        own = full.spec.replace(seed=seed)
        ids = {"run_id": own.run_id, "cell_id": own.cell_id, "label": own.label}
        write_record(tmp_path / "all", full.replace(spec=own, arrays_sha256=f"{seed:064}", trace_sha256=None, **ids))
    records, problems = usable([tmp_path / "all"])
    assert (len(records), problems) == (200, [])


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_plain_file_is_named_and_the_rest_is_read(kind: str, tmp_path: Path) -> None:
    path = several(tmp_path, 2)[0].parent / f"{'0' * 12}.json"
    {"pipe": os.mkfifo, "device": lambda path: path.symlink_to("/dev/zero"), "folder": os.mkdir}[kind](path)
    records, problems = verify([tmp_path], toy_plugins())
    assert len(records) == 2
    assert [(problem.path, problem.what) for problem in problems] == [(str(path), "not a record")]


@pytest.mark.parametrize(("field", "value"), [("steps", "12"), ("steps", True), ("threads", -1), ("dirty", "no")])
def test_values_of_another_type_are_refused(field: str, value: object, tmp_path: Path) -> None:
    path = several(tmp_path, 2)[0]
    edit(path, lambda record: record.update({field: value}))
    records, problems = verify([tmp_path], toy_plugins())
    assert (len(records), len(problems)) == (1, 1)
    assert problems[0].path == str(path)
    assert field in str(problems[0])
