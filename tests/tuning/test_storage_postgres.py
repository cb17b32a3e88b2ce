"""Studies on a PostgreSQL server, which many machines can share: two sweeps at once, and one that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest

import tests.support.postgres as postgres
from kdbench.records.study_summary import read_summary
from kdbench.suite.study import studies
from kdbench.tuning.ending import Ending
from kdbench.tuning.locks import PostgresLocks
from kdbench.tuning.storage import Storage, _lock
from kdbench.tuning.storage_url import driven
from tests.support.patience import PATIENCE, until
from tests.support.sweeping import install, suite_of, suite_path

SLOW = "".join(f"  - {{use: slow, name: s{i}, notes: NOTES, delay: 0.01}}\n" for i in range(4))
FOUR = [
    ("strategies: [equal, ammkd]\n", f"strategies:\n{SLOW}"),
    ("teams: [[], [a, b]]", "teams: [[a, b]]"),
    ("    ammkd:\n      C: {low: 0.5, high: 1}\n", "    s0: {knob: {low: 0, high: 1}}\n"),
    ("trials: 4", "trials: 12"),
]


def kept(url: str) -> list[optuna.Study]:
    names = optuna.get_all_study_names(driven(url))
    return [optuna.load_study(study_name=name, storage=driven(url)) for name in names]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres.server() as found:
        yield found


def test_locks_end_with_their_connection(url: str) -> None:
    here, there = PostgresLocks(driven(url)), PostgresLocks(driven(url))
    assert here.acquire("a")
    assert not there.acquire("a")
    assert there.acquire("b")
    with here.held("c"):
        assert not there.acquire("c")
    assert there.acquire("c")
    here.connection.close()
    here.connection.engine.dispose()
    until(lambda: there.acquire("a"), "the lock outlived its connection")


def test_an_abandoned_trial_resumes(url: str, tmp_path: Path) -> None:
    study = studies(suite_of(tmp_path, ("trials: 4", "trials: 4\n  seed: 7")))[2]
    here, there = Storage(url, tmp_path), Storage(url, tmp_path)
    here.set_up(study)
    there.set_up(study)
    claim = here.claim(study)
    assert claim is not None
    params = claim.draw()
    other = there.claim(study)
    assert other is not None
    assert other.number == 1
    other.end(Ending("complete", (1.0,)))
    assert isinstance(here.locks, PostgresLocks)
    here.locks.connection.close()  # as the end of a process would
    here.locks.connection.engine.dispose()
    with PostgresLocks(driven(url)).held(_lock(study, 0)):
        pass  # the server has noticed the end
    again = there.claim(study)
    assert again is not None
    assert (again.number, again.draw()) == (0, params)
    assert there.counts(study) == {"running": 1, "complete": 1, "waiting": 2}


@pytest.mark.faults
@pytest.mark.fault("a killed sweep beside another on PostgreSQL")
def test_two_sweeps_share_four_studies_and_one_is_killed(
    url: str, tmp_path: Path, distribution: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """48 trials in the end, a dozen in each study, although a process group was killed while it executed some."""
    install(distribution, monkeypatch)
    notes = tmp_path / "notes"
    suite = suite_path(tmp_path, *((old, new.replace("NOTES", str(notes))) for old, new in FOUR))

    def begun(name: str) -> subprocess.Popen[str]:
        arguments = ["--results", str(tmp_path / name), "--cache", str(tmp_path / "cache"), "--jobs", "1", "--only-tune"]
        return subprocess.Popen(
            [sys.executable, "-m", "kdbench", "sweep", str(suite), *arguments],
            env=os.environ | {"KDBENCH_STORAGE": url, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    one, two = begun("one"), begun("two")
    until(lambda: one.poll() is not None or (notes.exists() and len(notes.read_text().splitlines()) >= 15))
    assert one.poll() is None, one.communicate()[0]
    os.killpg(two.pid, signal.SIGKILL)
    two.communicate()
    out, _ = one.communicate(timeout=PATIENCE)
    assert one.returncode == 0, out
    counted = [len(study.trials) for study in kept(url) if study.study_name.startswith("toy-a+b-s")]
    assert counted == [12] * 4
    summaries = [read_summary(path) for path in sorted((tmp_path / "one/toys/sweep").glob("*.json"))]
    assert [summary.label for summary in summaries] == [f"toy · a+b · s{i}" for i in range(4)]
    for summary in summaries:
        assert [trial.number for trial in summary.trials] == list(range(12))
        assert {trial.state for trial in summary.trials} <= {"complete", "pruned"}
    starts = notes.read_text().splitlines()
    # The trial that the killed worker executed was started twice, or had just ended.
    assert 48 <= len(starts) <= 49, "\n".join(starts)
    assert len({line.split()[0] for line in starts}) >= 2
