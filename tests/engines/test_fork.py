"""A call in a fork: its answer, its death, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdbench.engines.fork import ADOPT_ORPHANS, Fork, _prctl, may_fork
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers fork on Linux")


@pytest.fixture(autouse=True)
def _orphans_go_where_they_did() -> Iterator[None]:
    yield
    _prctl(ADOPT_ORPHANS, 0)


def test_it_answers_and_changes_nothing_here() -> None:
    def call() -> str:
        os.environ["KDBENCH_FORK"] = "changed"
        return f"{os.getpid()}"

    fork = Fork(call)
    assert fork.end() == (str(fork.process), 0)
    assert "KDBENCH_FORK" not in os.environ


@pytest.mark.parametrize("code", [0, 9])
def test_one_that_dies_gives_no_answer(code: int) -> None:
    assert Fork(lambda: os._exit(code)).end() == ("", code)


def test_one_that_is_killed_tells_the_signal() -> None:
    fork = Fork(lambda: f"{threading.Event().wait(PATIENCE)}")
    os.kill(fork.process, signal.SIGKILL)
    assert fork.end() == ("", -signal.SIGKILL)


def test_what_it_started_ends_with_it() -> None:
    """A child and its own child, each the leader of a session, and a copy of the fork that would answer, too."""

    def call() -> str:
        inner = "import subprocess, sys; print(subprocess.Popen(['sleep', '3600'], start_new_session=True).pid, flush=True)"
        child = subprocess.Popen(
            [sys.executable, "-c", inner + "; sys.stdin.read()"], stdin=-1, stdout=-1, start_new_session=True
        )
        assert child.stdout
        copy = os.fork()
        if copy == 0:
            time.sleep(0.1)
            return "a copy"
        os.waitpid(copy, 0)
        return f"{child.pid} {int(child.stdout.readline())}"

    answer, code = Fork(call).end()
    assert code == 0
    assert not [process for process in answer.split() if Path("/proc", process).exists()]


def test_threads_forbid_it() -> None:
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    try:
        assert not may_fork()
    finally:
        ends.set()
        thread.join()


def test_a_process_with_one_thread_may_fork() -> None:
    command = "from kdbench.engines.fork import may_fork; print(may_fork())"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
