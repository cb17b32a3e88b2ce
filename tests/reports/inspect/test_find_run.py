"""From what a person types to a record."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.errors import RecordError
from kdbench.records.files import write_record
from kdbench.records.record import Record
from kdbench.reports.inspect import find_run
from kdbench.suite.spec import RunSpec

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


def test_a_run_is_found_by_path_id_or_prefix(runs: dict[str, Path]) -> None:
    path = runs["three"]
    results = path.parent.parent
    ids = [other.stem for other in runs.values()]
    unique = next(n for n in range(1, 13) if sum(other.startswith(path.stem[:n]) for other in ids) == 1)
    for text in (str(path), path.stem, path.stem.upper(), path.stem[:unique]):
        assert find_run(text, results) == path
    with pytest.raises(RecordError):
        find_run(path.stem[: unique - 1], results)


def test_an_ambiguous_prefix_names_the_runs(tmp_path: Path, spec: Spec, record: Make) -> None:
    written = {name: write_record(tmp_path, record(spec(), run_id=name)) for name in ("ab" * 6, "abcd" * 3, "e" * 12)}
    with pytest.raises(RecordError, match="'ab' may be any of 2 runs") as told:
        find_run("ab", tmp_path)
    assert str(written["ab" * 6]) in str(told.value)
    assert str(written["abcd" * 3]) in str(told.value)
    assert str(written["e" * 12]) not in str(told.value)
    assert spec().label in str(told.value)


def test_a_record_that_is_there_twice_is_ambiguous(runs: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(runs["three"], tmp_path / name)
    with pytest.raises(RecordError, match="any of 2 runs"):
        find_run(runs["three"].stem, tmp_path)


def test_a_long_list_is_cut(tmp_path: Path, spec: Spec, record: Make) -> None:
    for number in range(20):
        write_record(tmp_path, record(spec(), run_id=f"a{number:011d}"))
    with pytest.raises(RecordError, match="and 12 more") as told:
        find_run("a", tmp_path)
    assert len(str(told.value).split("\n")) == 10


def test_an_unknown_run_names_near_ids(tmp_path: Path, spec: Spec, record: Make) -> None:
    write_record(tmp_path, record(spec(), run_id="0123456789ab"))
    write_record(tmp_path, record(spec(), run_id="fedcfedcfedc"))
    with pytest.raises(RecordError, match="no run is called '0123456798ab'; near are:") as told:
        find_run("0123456798ab", tmp_path)
    assert "0123456789ab.json" in str(told.value)
    assert "fedc" not in str(told.value)
    with pytest.raises(
        RecordError, match=r"no record is at 'zzz', and none of the 2 runs .* `kdbench plan SUITE --runs` shows ids"
    ):
        find_run("zzz", tmp_path)
    with pytest.raises(RecordError, match="no such file or folder"):
        find_run("0123", tmp_path / "nowhere")
