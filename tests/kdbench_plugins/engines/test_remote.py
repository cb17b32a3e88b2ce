"""What a process of a cluster makes of a task: only on shared folders, alone on a run, and nothing that is recorded."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from kdbench import KdbenchError, plugins
from kdbench.engines import remote
from kdbench.engines.remote import carry_out
from kdbench.engines.tasks import Event
from kdbench.records.record import record_path
from kdbench.storage.digest import digest_of
from kdbench.suite.plan import RunSpec
from tests.support.toys import run_spec, toy_plugins


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Folders with a driver's seal, in a process whose installed plugins are the toys."""
    for name in ("results", "cache"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".seal").touch()
    monkeypatch.setattr(plugins, "installed", toy_plugins)
    monkeypatch.setattr(remote, "SHARED_SECONDS", 0.1)
    monkeypatch.setattr(remote, "WAIT_SECONDS", 0.1)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():  # an executor shows warnings in its own way
        yield {
            "results": str(tmp_path / "results"),
            "cache": str(tmp_path / "cache"),
            "device": "cpu",
            "folder": str(tmp_path),
            "seal": ".seal",
        }


def task(spec: RunSpec, folder: Path) -> dict[str, Any]:
    return {"task": "run", "spec": spec.as_dict(), "log": str(folder / "logs/run.log")}


def test_a_recorded_run_is_returned_and_not_done_again(settings: dict[str, Any], tmp_path: Path) -> None:
    spec = run_spec()
    first, second = list[Event](), list[Event]()
    done = carry_out(settings, task(spec, tmp_path), first.append)
    path = record_path(tmp_path / "results", "toys", spec.run_id)
    before = path.stat().st_mtime_ns
    assert carry_out(settings, task(spec, tmp_path), second.append) == done
    assert done["record"]["status"] == "ok"
    assert [event["epoch"] for event in first if event["event"] == "epoch"] == [1, 2, 3]
    assert second == []
    assert path.stat().st_mtime_ns == before


def test_a_run_that_failed_is_done_again(settings: dict[str, Any], tmp_path: Path) -> None:
    spec = run_spec(strategy={"name": "no", "use": "absent", "params": {}})
    written = []
    for _ in range(2):
        assert carry_out(settings, task(spec, tmp_path), list[Event]().append)["record"]["status"] == "failed"
        written.append(record_path(tmp_path / "results", "toys", spec.run_id).stat().st_mtime_ns)
    assert written[0] < written[1]


def test_who_comes_second_waits_for_the_first(settings: dict[str, Any], tmp_path: Path) -> None:
    """Such as a run tried again while the node that was lost still works on it."""
    spec = run_spec(())
    lock = tmp_path / "cache/scratch" / f"{digest_of({'run': spec.run_id})[:24]}.lock"
    lock.parent.mkdir()
    events = list[Event]()
    held, told = threading.Event(), threading.Event()

    def send(event: Event) -> None:
        events.append(event)
        if event["event"] == "warning":
            assert not record_path(tmp_path / "results", "toys", spec.run_id).exists()
            told.set()

    def hold() -> None:
        """In a thread of its own: filelock refuses one that would wait for itself."""
        with FileLock(lock):
            held.set()
            told.wait(60)

    first = threading.Thread(target=hold)
    first.start()
    assert held.wait(60)
    assert carry_out(settings, task(spec, tmp_path), send)["record"]["status"] == "ok"
    first.join()
    assert events[0]["event"] == "warning"
    assert "another process is at this run" in events[0]["message"]
    assert spec.label in events[0]["message"]


@pytest.mark.parametrize("name", ["results", "cache"])
def test_a_folder_of_its_own_is_refused(settings: dict[str, Any], tmp_path: Path, name: str) -> None:
    (tmp_path / name / ".seal").unlink()
    with pytest.raises(KdbenchError, match=f"--{name}: node .* does not see what was written into {tmp_path}"):
        carry_out(settings, task(run_spec(), tmp_path), list[Event]().append)
    assert not (tmp_path / "logs").exists()


def test_a_driver_in_a_folder_that_is_not_here_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(KdbenchError, match=r"cannot enter .*/nowhere"):
        carry_out(settings | {"folder": str(tmp_path / "nowhere")}, task(run_spec(), tmp_path), list[Event]().append)


def test_what_a_process_prints_is_kept_though_it_dies(tmp_path: Path) -> None:
    log = tmp_path / "logs/run.log"
    code = (
        "import os, sys; from pathlib import Path; from kdbench.engines.remote import _printing\n"
        "print('before')\n"
        "with _printing(Path(sys.argv[1])):\n"
        "    print('during')\n"
        "print('between')\n"
        "with _printing(Path(sys.argv[2])):\n"
        "    os.write(1, b'a C library\\n'); os.write(2, b'its last words\\n'); os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, log, tmp_path / "last.log"], capture_output=True, text=True)
    assert ended.returncode == -9
    assert ended.stdout == "before\nbetween\n"
    assert log.read_text() == "during\n"
    assert (tmp_path / "last.log").read_text() == "a C library\nits last words\n"
    assert os.path.getsize(log) == 7
