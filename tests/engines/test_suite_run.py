"""`kdbench.run`: a suite from its file to results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import kdbench
from kdbench import KdbenchError
from kdbench.contracts import Progress, Site
from kdbench.contracts.hookspecs import hookimpl
from kdbench.engines.suite_run import SuiteRun, override_texts
from kdbench.errors import SuiteError
from kdbench.records.record import Record
from kdbench.suite.source import read_suite
from kdbench.suite.yaml_file import parse_scalar
from kdbench_plugins.engines.in_process import InProcess
from tests.support.command_plugins import command_plugins
from tests.support.sweeping import install
from tests.support.toys import TAUGHT

Distribution = Callable[[str, str], Path]
SUITE = (
    TAUGHT
    + """\
name: few
seeds: [0, 1]
strategies: [equal, ammkd]
objective: [relational_kl]
train: {epochs: 1, batch_size: 8, precision: fp32}
evaluate: {recall_at: [1, 5]}
"""
)


class Listener:
    def __init__(self) -> None:
        self.finished: list[str] = []
        self.stages: set[str] = set()

    @hookimpl
    def kdbench_progress(self, progress: Progress) -> None:
        self.stages.add(progress.stage)

    @hookimpl
    def kdbench_run_finished(self, run_id: str, record: Record) -> None:
        assert record.status == "ok"
        self.finished.append(run_id)


@pytest.fixture
def suite(tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toys are plugins of worker processes too."""
    install(distribution, monkeypatch)
    monkeypatch.setenv("KDBENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "few.yaml"
    path.write_text(SUITE)
    return path


def test_a_suite_gives_results_and_resumes(suite: Path, tmp_path: Path) -> None:
    listener, plugins = Listener(), command_plugins()
    overrides = {"seeds": [0], "train.lr": 1e-2, "strategies[1].C": 0.7}
    where = tmp_path / "results"
    found = kdbench.run(suite, overrides, results=where, jobs=1, profile=False, trackers=[listener], plugins=plugins)
    assert isinstance(found, kdbench.Results)
    assert len(found.runs) == len(listener.finished) == 3
    assert "train" in listener.stages
    table = found.table()
    assert sorted(table["strategy"]) == ["", "ammkd", "equal"]
    assert (table["seeds"] == 1).all()
    spec = found.reading.runs[0].record.spec
    assert spec.train
    assert spec.train.lr == 1e-2

    before = {path: path.stat().st_mtime_ns for path in where.rglob("*")}
    again = kdbench.run(suite, overrides, results=where, profile=False, plugins=plugins)
    assert {path: path.stat().st_mtime_ns for path in where.rglob("*")} == before
    assert again.table().equals(table)
    assert kdbench.load(where, plugins=plugins).table().equals(table)


def test_a_limit_of_time_is_the_suites_unless_one_is_given_and_changes_no_id(suite: Path, tmp_path: Path) -> None:
    plugins, engine = command_plugins(), InProcess()
    here = Site(tmp_path / "results", tmp_path / "cache", "cpu")
    free = SuiteRun.of(read_suite(suite), here, engine, plugins)
    limited = SuiteRun.of(read_suite(suite, ["timeout=60"]), here, engine, plugins)
    given = SuiteRun.of(read_suite(suite, ["timeout=60"]), replace(here, timeout=5.0), engine, plugins)
    assert [run.session.site.timeout for run in (free, limited, given)] == [None, 60.0, 5.0]
    assert [spec.run_id for spec in free.specs] == [spec.run_id for spec in limited.specs]
    with pytest.raises(SuiteError, match="timeout"):
        SuiteRun.of(read_suite(suite, ["timeout=0"]), here, engine, plugins)


def test_results_are_those_of_the_suite_alone(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = command_plugins()
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: plugins)
    one = ["seeds=[0]", "teams=[[]]"]
    here: dict[str, Any] = {"results": tmp_path / "results", "engine": "in_process", "profile": False, "plugins": plugins}
    kdbench.run(suite, one, **here)
    other = kdbench.run(suite, [*one, "train.epochs=2"], **here)
    assert len(other.runs) == 1
    assert len(kdbench.load(tmp_path / "results", plugins=plugins).runs) == 2


def test_a_failed_run_is_there_to_see(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdbench.plugins.loading.installed", command_plugins)
    overrides = {"seeds": [0], "teams": [[]], "students[0]": {"use": "toy", "poisoned": True}}
    found = kdbench.run(suite, overrides, results=tmp_path / "r", engine="in_process", profile=False, plugins=command_plugins())
    assert [record.status for record in found.failed] == ["diverged"]
    assert found.runs["status"].tolist() == ["diverged"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"suite": "quikstart"}, "did you mean 'quickstart'?"),
        ({"overrides": {"train.epocs": 1}}, "did you mean 'epochs'?"),
        ({"engine": "locl"}, "did you mean 'local'?"),
        ({"trackers": ["wandbb"]}, "tracker"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    arguments: dict[str, object], told: str, suite: Path, tmp_path: Path
) -> None:
    with pytest.raises(KdbenchError) as error:
        kdbench.run(**{"suite": suite, "results": tmp_path / "r", "plugins": command_plugins()} | arguments)  # type: ignore[arg-type]
    assert told in str(error.value)
    assert not (tmp_path / "r").exists()


def test_overrides_keep_their_types() -> None:
    values = {"a": 1e-5, "b": [0, 1], "c": True, "d": None, "e": "1e-3", "f": {"use": "x", "p": 1.0}, "g": "no"}
    for text, value in zip(override_texts(values), values.values(), strict=True):
        read = parse_scalar(text.partition("=")[2], "here")
        assert read == value
        assert type(read) is type(value)
    assert override_texts(["a=1"]) == ["a=1"]


def test_a_suite_that_is_wrong_raises(tmp_path: Path) -> None:
    with pytest.raises(SuiteError):
        kdbench.run(tmp_path / "none.yaml", plugins=command_plugins())


def test_a_suite_in_folds(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Teachers of each fold are prepared first; a second call has nothing to do; a smoke run has three folds at most."""
    changes, plugins = ["seeds=[0]", "teams=[[a, b]]"], command_plugins()
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: plugins)
    here: dict[str, Any] = {"engine": "in_process", "profile": False, "plugins": plugins}
    results = kdbench.run(suite, ["folds=3", *changes], results=tmp_path / "results", **here)
    (table,) = results.board.tables
    assert [(row.seeds, len(row.folds)) for row in table.rows] == [((0,), 3)] * 2
    assert (results.failed, results.problems, table.sizes["concepts"]) == ([], [], 38)
    assert sorted(results.runs["fold"]) == [0, 0, 1, 1, 2, 2]
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*.json")}
    kdbench.run(suite, ["folds=3", *changes], results=tmp_path / "results", **here)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*.json")}
    tried = kdbench.run(suite, ["folds=5", *changes], results=tmp_path / "smoke", smoke=True, **here)
    assert Counter(tried.runs["fold"]) == {0: 2, 1: 2, 2: 2}
