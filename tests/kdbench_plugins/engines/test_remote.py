"""Work in a process of a cluster: only on shared folders, one process a run, and no recorded run again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench.contracts import Site
from kdbench.engines.messages import AnyEvent, EpochFinished, ExecuteRun, PrepareTeacher, Warned, Working
from kdbench.plugins import loading
from kdbench.records.files import record_path
from kdbench.runs.once import record_lock
from kdbench.storage.locks import lock_file
from kdbench.suite.spec import RunSpec
from kdbench_plugins.engines import remote
from kdbench_plugins.engines.remote import Errand, execute_errand
from tests.support.toys import plugged, retrieval_spec, run_spec, sage, toy_plugins


@pytest.fixture(autouse=True)
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folders with a driver's seal, in a process whose installed plugins are the toys."""
    for name in ("results", "cache"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".seal").touch()
    monkeypatch.setattr(loading, "installed", toy_plugins)
    monkeypatch.setattr(remote, "SHARED_SECONDS", 0.1)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():  # an executor shows warnings in its own way
        yield


def errand(spec: RunSpec, folder: Path) -> Errand:
    site = Site(folder / "results", folder / "cache", "cpu")
    made = Errand(site=site, folder=folder, seal=".seal", work=ExecuteRun(spec=spec), log=folder / "logs/run.log")
    return Errand.model_validate_json(made.model_dump_json())


def status(errand: Errand) -> str:
    finished = execute_errand(errand, list[AnyEvent]().append)
    assert finished
    return finished.record.status


def test_a_recorded_run_is_returned_and_not_executed_again(tmp_path: Path) -> None:
    spec = run_spec()
    first, second = list[AnyEvent](), list[AnyEvent]()
    done = execute_errand(errand(spec, tmp_path), first.append)
    path = record_path(tmp_path / "results", "toys", spec.run_id)
    before = path.stat().st_mtime_ns
    assert execute_errand(errand(spec, tmp_path), second.append) == done
    assert done
    assert done.record.status == "ok"
    assert [event.epoch for event in first if isinstance(event, EpochFinished)] == [1, 2, 3]
    assert second == [Working()]
    assert path.stat().st_mtime_ns == before


def test_a_run_that_failed_is_executed_again(tmp_path: Path) -> None:
    spec = run_spec(strategy=plugged("absent", "no"))
    written = []
    for _ in range(2):
        assert status(errand(spec, tmp_path)) == "failed"
        written.append(record_path(tmp_path / "results", "toys", spec.run_id).stat().st_mtime_ns)
    assert written[0] < written[1]


def test_a_teacher_leaves_no_record(tmp_path: Path) -> None:
    work = PrepareTeacher(task=retrieval_spec(), dataset=plugged("beads"), teacher=sage("a"))
    assert execute_errand(errand(run_spec(), tmp_path).model_copy(update={"work": work}), list[AnyEvent]().append) is None
    assert not list((tmp_path / "results").glob("toys/*"))


def test_the_second_process_waits_for_the_first(tmp_path: Path) -> None:
    """Such as a run that is tried again while the lost node still executes it."""
    spec = run_spec(())
    lock = record_lock(tmp_path / "results", spec)
    events = list[AnyEvent]()
    held, warned = threading.Event(), threading.Event()

    def send(event: AnyEvent) -> None:
        events.append(event)
        if isinstance(event, Warned):
            assert not record_path(tmp_path / "results", "toys", spec.run_id).exists()
            warned.set()

    def hold() -> None:
        with lock_file(lock):
            held.set()
            warned.wait(60)

    first = threading.Thread(target=hold)
    first.start()
    assert held.wait(60)
    finished = execute_errand(errand(spec, tmp_path), send)
    first.join()
    assert finished
    assert finished.record.status == "ok"
    assert isinstance(events[1], Warned)
    assert f"waiting for process {os.getpid()} on " in events[1].message
    assert spec.label in events[1].message


@pytest.mark.parametrize("name", ["results", "cache"])
def test_a_folder_that_is_not_shared_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name / ".seal").unlink()
    with pytest.raises(KdbenchError, match=f"--{name}: node .* cannot see what the driver wrote into {tmp_path}"):
        execute_errand(errand(run_spec(), tmp_path), list[AnyEvent]().append)
    assert not (tmp_path / "logs").exists()


def test_a_driver_in_a_folder_that_is_not_here_is_refused(tmp_path: Path) -> None:
    elsewhere = errand(run_spec(), tmp_path).model_copy(update={"folder": tmp_path / "nowhere"})
    with pytest.raises(KdbenchError, match=r"cannot enter .*/nowhere"):
        execute_errand(elsewhere, list[AnyEvent]().append)


def test_what_a_process_prints_is_kept_though_it_dies(tmp_path: Path) -> None:
    log = tmp_path / "logs/run.log"
    code = (
        "import os, sys; from pathlib import Path; from kdbench.engines.logs import printing_to\n"
        "print('before')\n"
        "with printing_to(Path(sys.argv[1])):\n"
        "    print('during')\n"
        "print('between')\n"
        "with printing_to(Path(sys.argv[2])):\n"
        "    os.write(1, b'a C library\\n'); os.write(2, b'its last words\\n'); os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, log, tmp_path / "last.log"], capture_output=True, text=True)
    assert ended.returncode == -9
    assert ended.stdout == "before\nbetween\n"
    assert log.read_text() == "during\n"
    assert (tmp_path / "last.log").read_text() == "a C library\nits last words\n"
    assert os.path.getsize(log) == 7
