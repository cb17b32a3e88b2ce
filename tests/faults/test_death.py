"""`kdbench run` and `kdbench leaderboard` die a hundred times, at any moment; what they leave is finished or resumes.

A suite of toys whose runs have stages is executed again and again, each time until a random moment: by the death of all its
processes, of its first one or of a worker alone, or by the signals of a person or a scheduler. Whatever a command had finished
stays as it is, to the byte; when the suite is complete, all stored ranks are those of a suite that nobody disturbed.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kdbench.records.files import find_records, read_record
from kdbench.records.verify import verify
from tests.support.distributions import installed
from tests.support.fault_tally import Lost
from tests.support.patience import PATIENCE, until
from tests.support.ray_toys import TOYS
from tests.support.toys import TAUGHT, toy_plugins

SUITE = (
    TAUGHT
    + """\
name: mortal
strategies: [equal, random, {use: resting, seconds: 0.03}]
seeds: [0, 1]
objective: [relational_kl]
train:
  batch_size: 8
  precision: fp32
  checkpoint_every: 2
  stages:
    - {epochs: 1}
    - {epochs: 1, lr: 5e-4}
evaluate: {recall_at: [1, 5]}
"""
)
RUNS = 8
DEATHS = 100
LEFT = ("*.partial*", ".tmp*", "checkpoint*", ".site*")


class Stage:
    """A folder, and the command that executes the suite in it and writes its leaderboard."""

    def __init__(self, folder: Path, python_path: str) -> None:
        self.folder, self.environment = folder, os.environ | {"PYTHONPATH": python_path}
        (folder / "results").mkdir(parents=True)
        (folder / "mortal.yaml").write_text(SUITE)

    def begin(self) -> subprocess.Popen[bytes]:
        kdbench = f"{sys.executable} -m kdbench"
        run = f"{kdbench} run mortal.yaml --results results --cache cache --jobs 2 --no-profile"
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                ["sh", "-c", f"trap : INT; {run} && {kdbench} leaderboard results --html site"],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finished(self) -> dict[str, bytes]:
        """The records of runs that ended well, and their arrays, by file name."""
        paths = list(find_records([self.folder / "results"]))
        found = [path for path in paths if read_record(path).status == "ok"]
        files = [file for path in found for file in path.parent.glob(f"{path.stem}.*")]
        return {file.name: file.read_bytes() for file in files}

    def ranks(self) -> dict[str, bytes]:
        return {name: content for name, content in self.finished().items() if name.endswith(".npz")}

    def complete(self) -> bool:
        return len(self.ranks()) == RUNS and (self.folder / "site/index.html").is_file()

    def check_nothing_left(self) -> None:
        folders = [self.folder / name for name in ("results", "cache")]
        assert [path for name in LEFT for folder in folders for path in folder.rglob(name)] == []
        assert not list(self.folder.glob(".site*"))
        assert verify([folders[0]], toy_plugins(**TOYS.extra))[1] == []


def members(session: int) -> list[int]:
    """The processes of a session that live: workers have groups of their own in it."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def kill_all(session: int) -> None:
    for process in members(session):
        _send(process, signal.SIGKILL)


def kill_first(session: int) -> None:
    """The shell and the command; its workers notice."""
    for process in [session, *_children(session)]:
        _send(process, signal.SIGKILL)


def kill_a_worker(session: int) -> None:
    """Or one of its forks; the command starts another and goes on."""
    first = [session, *_children(session)]
    if others := [process for process in members(session) if process not in first]:
        _send(random.choice(others), signal.SIGKILL)


def terminate(session: int) -> None:
    """As a scheduler does."""
    for process in _children(session):
        _send(process, signal.SIGTERM)


def interrupt(session: int) -> None:
    """Ctrl-C, and once more."""
    for _ in range(2):
        for process in _children(session):
            _send(process, signal.SIGINT)
        time.sleep(0.2)


KINDS: list[Callable[[int], None]] = [kill_all, kill_all, kill_first, kill_a_worker, terminate, interrupt]


def _children(process: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _send(process: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, what)


@pytest.mark.faults
@pytest.mark.fault("death at any moment of a suite", times=DEATHS)
def test_whatever_dies_and_when_nothing_is_lost(tmp_path: Path) -> None:
    python_path = installed(tmp_path / "plugins", "tests.support.ray_toys:TOYS")
    calm = Stage(tmp_path / "calm", python_path)
    began = time.monotonic()
    assert calm.begin().wait(PATIENCE) == 0, (calm.folder / "log").read_text()
    whole = time.monotonic() - began
    assert calm.complete()
    calm.check_nothing_left()
    deaths = suites = 0
    while deaths < DEATHS:
        stage = Stage(tmp_path / f"suite {suites}", python_path)
        undisturbed = 0
        while not stage.complete():
            assert undisturbed < 3, (stage.folder / "log").read_text()
            before = stage.finished()
            command = stage.begin()
            if deaths < DEATHS:
                try:
                    command.wait(random.uniform(0, whole))
                except subprocess.TimeoutExpired:
                    deaths += 1
                    random.choice(KINDS)(command.pid)
            else:
                undisturbed += 1
            command.wait(PATIENCE)
            until(lambda: not members(command.pid), "workers outlive their command")  # noqa: B023
            after = stage.finished()
            if any(after.get(name) != content for name, content in before.items()):
                raise Lost([name for name in before if after.get(name) != before[name]])
        if stage.ranks() != calm.ranks():
            raise AssertionError(f"suite {suites}: other ranks, {(stage.folder / 'log').read_text()[-2000:]}")
        stage.check_nothing_left()
        suites += 1
    print(f"{deaths} deaths in {suites} suites")
