"""One rank of one run, as another launcher starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench.engines import torchrun
from kdbench.engines.torchrun import execute_rank, main
from kdbench.records.files import record_path, recorded
from kdbench.runs.execute import execute
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.training.distributed import Rank
from kdbench.training.launch import launch
from tests.support import ranked
from tests.support.sweeping import suite_path
from tests.support.toys import plugged, run_context, run_spec, toy_plugins


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that torchrun gives to the only rank of a run, where the toys are installed."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setattr(torchrun, "installed", toy_plugins)


def command(suite: Path, run: str, *overrides: str) -> list[str]:
    folder = suite.parent
    return [str(suite), run, *overrides, "--results", f"{folder / 'results'}", "--cache", f"{folder / 'cache'}", "--device=cpu"]


@pytest.mark.usefixtures("alone")
def test_the_command_records_the_run_that_is_named(tmp_path: Path) -> None:
    suite = suite_path(tmp_path)
    spec = plan(load_suite(suite, toy_plugins()))[0]
    assert main(command(suite, spec.run_id)) == 0
    written = recorded(tmp_path / "results", spec)
    assert written
    assert written.arrays_sha256 == execute(spec, run_context(tmp_path / "alone")).arrays_sha256


@pytest.mark.usefixtures("alone")
def test_a_finished_run_is_not_executed_again(tmp_path: Path) -> None:
    """Unless it diverged and --redo is given."""
    suite = suite_path(tmp_path)
    poisoned = ["students=[{use: toy, poisoned: true}]"]
    for overrides, redo, code in (([], [], 0), ([], ["--redo"], 0), (poisoned, [], 1), (poisoned, ["--redo"], 1)):
        spec = plan(load_suite(suite, toy_plugins(), overrides))[0]
        path = record_path(tmp_path / "results", spec.suite, spec.run_id)
        assert main(command(suite, spec.run_id, *overrides)) == code
        before = path.stat().st_ino, path.stat().st_mtime_ns
        assert main([*command(suite, spec.run_id, *overrides), *redo]) == code
        assert ((path.stat().st_ino, path.stat().st_mtime_ns) == before) == (not redo or not overrides)


def test_ranks_agree_on_whether_a_run_is_executed(tmp_path: Path) -> None:
    """The second time, no rank trains; those without the results folder hear of it from rank 0."""
    spec = run_spec((), student=plugged("told"), train={"devices": 2})
    told: list[str] = []
    first, second = launch(2, ranked.executes_twice, (spec, tmp_path), told.append)
    assert first.status == "ok", first.reason
    assert second == first
    assert sorted(told) == [
        "rank 0 builds a student",
        "rank 0: ok",
        "rank 0: ok",
        "rank 1 builds a student",
        "rank 1: None",
        "rank 1: None",
    ]


def test_ranks_of_other_code_end_the_run(tmp_path: Path) -> None:
    spec = run_spec((), student=plugged("told"), train={"devices": 2})
    told: list[str] = []
    with pytest.raises(
        KdbenchError, match=r"student told: the code of .* while the processes of the run were started; run again"
    ):
        launch(2, ranked.executes_its_own_code, (spec, tmp_path), told.append)
    assert "rank 0: ok" not in told


@pytest.mark.usefixtures("alone")
def test_errors_end_with_2_and_failures_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = suite_path(tmp_path)
    assert main(command(suite, "0" * 12)) == 2
    assert f"{suite} has no run '000000000000'; kdbench plan {suite} --runs lists them" in capsys.readouterr().err
    (spec, *_) = plan(load_suite(suite, toy_plugins(), ["train.devices=2"]))
    assert main(command(suite, spec.run_id, "train.devices=2")) == 2
    assert "found 1 ranks, expected 2, the value of train.devices" in capsys.readouterr().err
    poisoned = ["students=[{use: toy, poisoned: true}]"]
    (spec, *_) = plan(load_suite(suite, toy_plugins(), poisoned))
    assert main(command(suite, spec.run_id, *poisoned)) == 1


def test_as_many_ranks_as_devices(tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"found 2 ranks, expected 1, the value of train\.devices"):
        execute_rank(run_spec(), run_context(tmp_path), Rank(1, 2))
