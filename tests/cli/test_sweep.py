"""`kdbench sweep` from end to end: killed three times, and everything that a person may get wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.cli import sweep  # noqa: F401  # registers the command
from kdbench.records.files import read_record, write_record
from kdbench.records.study_summary import read_summary
from kdbench_plugins.reports import site
from tests.support.command_plugins import command_plugins
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE, until
from tests.support.sweeping import ended, install, journal_counts, killed, suite_path

Command = Callable[..., tuple[int, str, str]]
Distribution = Callable[[str, str], Path]


@pytest.fixture
def kdbench(typed: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command; the toys are what is installed."""
    found = command_plugins()
    found.register(site, "kdbench:site")
    monkeypatch.setattr("kdbench.plugins.loading.installed", lambda: found)
    return typed


def four(folder: Path, delay: float, seeds: str = "[0]") -> Path:
    """Four strategies, a dozen trials each, and nobody else."""
    strategies = "".join(f"  - {{use: slow, name: s{i}, notes: {folder / 'notes'}, delay: {delay}}}\n" for i in range(4))
    own = "".join(f"    s{i}: {{knob: {{low: 0, high: 1}}}}\n" for i in range(4))
    return suite_path(
        folder,
        ("strategies: [equal, ammkd]\n", "strategies:\n" + strategies),
        ("    ammkd:\n      C: {low: 0.5, high: 1}\n", own),
        ("teams: [[], [a, b]]", "teams: [[a, b]]"),
        ("seeds: [0, 1]", f"seeds: {seeds}"),
        ("trials: 4", "trials: 12"),
    )


def command(suite: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "kdbench", "sweep", str(suite), "--cache", "cache", "--jobs", "2", *more]


def found(folder: Path) -> list[dict[str, Any]]:
    """What every study found, but for clocks."""
    paths = sorted((folder / "results/toys/sweep").glob("*.json"))
    summaries = [read_summary(path).model_dump() for path in paths]
    for summary in summaries:
        for trial in summary["trials"]:
            for clock in ("seconds", "started", "finished"):
                trial.pop(clock)
    return summaries


@pytest.mark.faults
@pytest.mark.fault("a killed sweep", times=3)
def test_killed_three_times_it_ends_with_48_trials_as_if_it_had_not_been(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No trial twice, none lost, none too many; the parameters drawn and the values found are those of a calm sweep."""
    install(distribution, monkeypatch)
    folder, calm = tmp_path / "killed", tmp_path / "calm"
    suite = four(folder, 0.01)
    journal = folder / "results/toys/sweep/studies.journal"
    kills = killed(command(suite, "--only-tune"), folder, journal, folder / "cache", [7, 19, 31])
    assert sum(sum(states.values()) for states in journal_counts(journal).values()) == 48
    assert kills[0] >= 7
    assert kills[-1] < 48
    done = subprocess.run(command(suite, "--only-tune"), cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    counts = journal_counts(journal)
    assert [sum(states.values()) for states in counts.values()] == [12] * 4
    assert all(set(states) <= {"COMPLETE", "PRUNED"} for states in counts.values())
    sittings = len((folder / "notes").read_text().splitlines())
    assert 48 <= sittings <= 48 + 3 * 2  # at each kill two workers were on a trial, or between two
    assert not list((folder / "cache/scratch").glob("trial-*/*"))
    assert not list((folder / "results/toys").glob("*.json"))

    calm.mkdir()
    other = subprocess.run(
        [*command(suite, "--only-tune", "--results", str(calm / "results")), "--cache", str(calm / "cache")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert other.returncode == 0, other.stderr
    assert found(calm) == found(folder)


def test_tuned_and_default_rows_reach_the_leaderboard_with_the_budget(
    kdbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process; `test_the_pareto_set_is_shown_and_nothing_is_run` has worker processes."""
    monkeypatch.setenv("COLUMNS", "250")
    one = ["sweep", suite_path(tmp_path), "--results", "results", "--engine", "in_process", "sweep.pruner=none"]
    code, out, err = kdbench(*one)
    assert code == 0, err
    assert "4 trials on validation" in out
    assert "untuned" in out
    records = [read_record(path) for path in (tmp_path / "results/toys").glob("*.json") if "." not in path.stem]
    assert len(records) == 3 * 2 * 2  # cells, seeds, tuned or not
    tuned = [record for record in records if record.spec.tuning]
    assert len(tuned) == 6
    summaries = {summary.label: summary for summary in map(read_summary, (tmp_path / "results/toys/sweep").glob("*.json"))}
    for record in tuned:
        summary = summaries[record.label.rpartition(" · seed")[0]]
        best = summary.best_trial
        assert best
        assert record.spec.train
        assert record.spec.train.lr == best.params["train.lr"]
        if record.spec.strategy and record.spec.strategy.use == "ammkd":
            assert record.spec.strategy.params["C"] == best.params["strategy.C"]
        if record.spec.seed == 0:  # the seed that was tuned on: the very run of the best trial
            assert record.validation["rsum"] == best.values[0] == max(trial.values[0] for trial in summary.trials)
    code, out, err = kdbench("leaderboard", "results", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert sorted(row["tuning"] for row in rows) == ["4 trials on validation"] * 3 + ["untuned"] * 3

    code, _, err = kdbench("leaderboard", "results", "--html", "site")
    assert code == 0, err
    linked = {path.stem for path in (tmp_path / "site/runs").glob("*.html") if "../tuning/" in path.read_text()}
    assert linked == {record.run_id for record in tuned}
    assert len(list((tmp_path / "site/tuning").glob("*.html"))) == 3

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*") if path.is_file()}
    code, _, err = kdbench(*one)
    assert code == 0, err
    assert "3 of 3 studies complete" in err
    assert "All 12 runs are recorded" in err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("*") if path.is_file()} == before

    _, out, err = kdbench(*one, "--status")
    assert out.count("4/4") == 3
    assert "train.lr" in out
    assert "optuna-dashboard" in err

    for path in (tmp_path / "results/toys").glob("*.json"):  # as if it came from a commit: what is tested may differ from it
        if "." not in path.stem:
            write_record(tmp_path / "results", read_record(path).model_copy(update={"dirty": False}))
    for typed in (["submit", "results", "--out", "b.zip"], ["verify", "b.zip"], ["leaderboard", "b.zip", "--html", "bundled"]):
        code, _, err = kdbench(*typed)
        assert code == 0, err
    assert sorted(path.name for path in (tmp_path / "bundled/tuning").iterdir()) == sorted(
        path.name for path in (tmp_path / "site/tuning").iterdir()
    )


@pytest.mark.faults
@pytest.mark.fault("an interrupted sweep")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_sweep_says_so_and_goes_on(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(distribution, monkeypatch)
    suite = four(tmp_path, 0.05)
    journal = tmp_path / "results/toys/sweep/studies.journal"
    process = subprocess.Popen(
        command(suite, "--only-tune"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: ended(journal) >= 1 or process.poll() is not None)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to everybody
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Interrupted. Trials that ended are kept" in said
    assert "Traceback" not in said
    status = subprocess.run(command(suite, "--status"), cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert status.returncode == 0, status.stderr
    assert "/12" in status.stdout
    assert not list((tmp_path / "results/toys/sweep").glob("*.json"))


def test_a_suite_without_a_sweep(typed: Command, tmp_path: Path) -> None:
    suite = ROOT / "suites/quickstart.yaml"
    code, out, err = typed("sweep", suite)
    assert (code, out) == (2, "")
    assert err == f"{suite}: no `sweep:` block; expected one with trials and space, as in suites/emoji-sweep.yaml\n"
    assert list(tmp_path.iterdir()) == []


EMOJI = ROOT / "suites/emoji-sweep.yaml"


def test_status_before_anything_has_begun(typed: Command, tmp_path: Path) -> None:
    code, out, err = typed("sweep", EMOJI, "--status")
    assert (code, err) == (0, "")
    assert out == f"None of the 7 studies of {EMOJI} has begun; each has 12 trials to do.\n"
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweep.trials=0"], "override sweep.trials=0: sweep.trials\n  found     0\n  expected  greater than or equal to 1"),
        (
            ["sweep.sampler=tpee"],
            "override sweep.sampler=tpee: sweep.sampler\n  found     'tpee'\n  expected  'tpe' or 'random'",
        ),
        (["sweep.strategies.ammkd.C.high=2"], "sweep.strategies.ammkd.C"),
        (["--device", "gpu"], "device: found 'gpu', expected auto, cpu, cuda, cuda:N or mps"),
        (
            ["--storage", "postgresql://me:secret@127.0.0.1:1/none"],
            "--storage postgresql://me:***@127.0.0.1:1/none: cannot be opened",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(typed: Command, tmp_path: Path, arguments: list[str], said: str) -> None:
    code, out, err = typed("sweep", EMOJI, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert "secret" not in err
    assert not (tmp_path / "results").exists()


def test_the_pareto_set_is_shown_and_nothing_is_run(
    tmp_path: Path, distribution: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(distribution, monkeypatch)
    edit = ("trials: 4", "trials: 6\n  objectives: [mean_recall, latency, parameters]\n  student: {width: [2, 4, 8]}")
    suite = suite_path(tmp_path, edit, ("teams: [[], [a, b]]", "teams: [[]]"))
    done = subprocess.run(command(suite), cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "Pareto set of toy · no distillation, on validation" in done.stdout
    assert "mean_recall ↑" in done.stdout
    assert "parameters ↓" in done.stdout
    (path,) = (tmp_path / "results/toys/sweep").glob("*.pareto.json")
    shown = json.loads(path.read_text())["configurations"]
    assert shown
    for one in shown:
        assert one["values"]["parameters"] == 128 * one["params"]["student.width"] + 1
    assert not list((tmp_path / "results/toys").glob("*.json"))
