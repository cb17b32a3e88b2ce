"""A run is executed once, however many processes want it, and its record stays."""

from __future__ import annotations

import os
import shutil
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kdbench import Offer, Task, hookimpl
from kdbench.contracts import Site
from kdbench.engines.session import Session
from kdbench.errors import KdbenchWarning, PluginError
from kdbench.records.files import read_record, record_path, write_record
from kdbench.records.record import Outcome, Record
from kdbench.records.verify import verify
from kdbench.runs.began import Began
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute, keep, record_of
from kdbench.runs.once import Busy, execute_once, failed, record_lock, run_lock
from kdbench.suite.spec import RunSpec
from kdbench.tasks.retrieval.task import Retrieval
from kdbench_plugins.engines.in_process import InProcess
from tests.support.toys import plugged, run_context, run_spec, toy

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays


def counted(folder: Path) -> tuple[RunContext, RunSpec, list[int]]:
    """A run whose student notes that it is built."""
    built: list[int] = []

    def build(*, width: int = 8) -> object:
        built.append(threading.get_ident())
        return toy(width=width)

    return run_context(folder, students=[Offer("counted", build)]), run_spec((), student=plugged("counted")), built


def test_a_recorded_run_is_not_executed_again(tmp_path: Path) -> None:
    context, spec, built = counted(tmp_path)
    first = execute_once(spec, context)
    assert first.status == "ok"
    path = record_path(context.results, spec.suite, spec.run_id)
    state = path.stat().st_mtime_ns
    assert execute_once(spec, context) == execute_once(spec, context, redo=True) == first
    assert (len(built), path.stat().st_mtime_ns) == (1, state)
    assert {file.name for file in path.parent.iterdir() if file.name.startswith(".")} == set()


class Picky(Retrieval):
    """A task that fails after a run's evaluation, where `refusing` is set."""

    refusing = threading.Event()

    def measure(self, arrays: Arrays) -> dict[str, float]:
        if self.refusing.is_set():
            raise PluginError("not these")
        return super().measure(arrays)


class Tasks:
    @hookimpl
    def kdbench_tasks(self) -> list[Offer[Task]]:
        return [Offer("picky", Picky)]


def test_a_repetition_that_fails_leaves_the_finished_record(tmp_path: Path) -> None:
    """Also if it fails last of all, when the test split has been evaluated."""
    context = run_context(tmp_path)
    context.plugins.register(Tasks(), "tests:picky")
    spec = run_spec(())
    spec = spec.replace(task=spec.task.replace(name="picky", use="picky"))
    first = execute(spec, context)
    assert first.status == "ok", first.reason
    Picky.refusing.set()
    try:
        assert execute(spec, context).reason == "not these"
    finally:
        Picky.refusing.clear()
    assert read_record(record_path(context.results, spec.suite, spec.run_id)) == first
    assert verify([context.results], context.plugins)[1] == []


def test_many_at_once_execute_it_once(tmp_path: Path) -> None:
    context, spec, built = counted(tmp_path)
    records: list[Record] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KdbenchWarning)
        threads = [threading.Thread(target=lambda: records.append(execute_once(spec, replace(context)))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(built) == 1
    assert [record.status for record in records] == ["ok"] * 4
    assert len({record.model_dump_json() for record in records}) == 1
    assert verify([context.results], context.plugins)[1] == []


def test_busy(tmp_path: Path) -> None:
    """Not where only the cache is shared: there, each results folder has checkpoints of its own."""
    context, spec, _ = counted(tmp_path)
    with run_lock(spec, context):
        with pytest.raises(Busy):
            execute_once(spec, context, wait=False)
        assert execute_once(spec, replace(context, results=tmp_path / "elsewhere"), wait=False).status == "ok"
    assert execute_once(spec, context, wait=False).status == "ok"


def test_waiting_is_told(tmp_path: Path) -> None:
    context, spec, _ = counted(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(run_lock(spec, context))
        told = threading.Event()

        def release() -> None:
            told.wait(60)
            stack.close()

        thread = threading.Thread(target=release)

        def show(message: object, *_: object, **__: object) -> None:
            assert str(message).startswith(f"{spec.label}: waiting for process {os.getpid()} on ")
            told.set()

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            thread.start()
            assert execute_once(spec, context).status == "ok"
        thread.join()
    assert told.is_set()


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_a_failure_does_not_replace_a_finished_record(tmp_path: Path, status: str) -> None:
    """Such as that of a second process, or of a worker that crashes after it has written its record."""
    context, spec, _ = counted(tmp_path)
    first = execute_once(spec, context)
    ended = record_of(spec, context, status, "the worker process died", Began(), Outcome())  # type: ignore[arg-type]
    keep(ended, context)
    assert ended.status == status
    assert read_record(record_path(context.results, spec.suite, spec.run_id)) == first
    assert verify([context.results], context.plugins)[1] == []


def breaking(context: RunContext, spec: RunSpec) -> tuple[RunContext, RunSpec]:
    """The same run with code that fails."""

    def build(*, width: int = 8) -> object:
        raise RuntimeError(f"width {width}")

    return replace(context, plugins=run_context(context.results, students=[Offer("counted", build)]).plugins), spec


def test_a_redo_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    context, spec, _ = counted(tmp_path)
    first = execute_once(spec, context)
    old = {name: part.replace(code="0" * 64 if part.code else "") for name, part in first.parts.items()}
    write_record(context.results, first.model_copy(update={"parts": old}))
    broken, _ = breaking(context, spec)
    assert execute_once(spec, broken, redo=True).status == "failed"
    assert read_record(record_path(context.results, spec.suite, spec.run_id)).metrics == first.metrics
    again = execute_once(spec, context, redo=True)
    assert (again.arrays_sha256, again.parts) == (first.arrays_sha256, first.parts)
    assert verify([context.results], context.plugins)[1] == []


def test_a_repetition_that_cannot_be_stored_leaves_what_was_there(tmp_path: Path) -> None:
    """Its arrays are written by then; its weights cannot be, as where the disk is full."""
    context, spec, _ = counted(tmp_path)
    first = execute(spec, context)
    students = context.cache.root / "students"
    shutil.rmtree(students)
    students.touch()
    assert execute(spec, context).status == "failed"
    path = record_path(context.results, spec.suite, spec.run_id)
    assert read_record(path) == first
    assert verify([context.results], context.plugins)[1] == []
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".")] == []


def session(context: RunContext) -> Session:
    return Session(Site(context.results, context.cache.root, "cpu", 1), InProcess(), context.plugins)


def test_a_session_leaves_runs_of_others_for_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process executes the first of two runs: this one executes the second, then takes the other's record."""
    from kdbench.plugins import loading

    context, spec, built = counted(tmp_path)
    specs = [spec, spec.replace(seed=1)]
    monkeypatch.setattr(loading, "installed", lambda: context.plugins)
    ended: list[str] = []
    stack = ExitStack()
    stack.enter_context(run_lock(specs[0], context))

    class Tracker:
        from kdbench import hookimpl

        @hookimpl
        def kdbench_run_finished(self, record: Record) -> None:
            ended.append(record.spec.label)
            if len(ended) == 1:
                execute(specs[0], context)  # the other process finishes
                stack.close()

    context.plugins.register(Tracker(), "tests:tracker")
    found = session(context)
    with stack:
        found.run(specs)
    assert ended == [specs[1].label, specs[0].label]
    assert len(built) == 2
    assert [found.records[one.run_id].status for one in specs] == ["ok", "ok"]


def test_a_lock_lies_beside_the_records_and_is_no_record(tmp_path: Path) -> None:
    context, spec, _ = counted(tmp_path)
    assert record_lock(context.results, spec).parent.parent == record_path(context.results, spec.suite, "").parent
    with run_lock(spec, context):
        execute(spec, context)
        assert verify([context.results], context.plugins)[1] == []


def test_a_crash_is_not_recorded_while_another_process_executes_the_run(tmp_path: Path) -> None:
    context, spec, _ = counted(tmp_path)
    path = record_path(context.results, spec.suite, spec.run_id)
    with run_lock(spec, context):
        assert failed(spec, context, "the worker process died").status == "failed"
        assert not path.exists()
    record = failed(spec, context, "the worker process died")
    assert read_record(path) == record
    execute_once(spec, context)
    failed(spec, context, "the worker process died")
    assert read_record(path).status == "ok"


def test_what_fails_around_a_run_fails_that_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such as locks that cannot be made, before it is executed; the record is returned although it cannot be written."""
    context, spec, built = counted(tmp_path)
    context.results.mkdir()
    (context.results / spec.suite).write_text("a file in the place of the folder")
    record = execute_once(spec, context)
    assert (record.status, built) == ("failed", [])
    assert record.reason.startswith(f"{context.results / spec.suite}")
    assert record.reason.endswith(("Not a directory", "File exists"))
    assert "Traceback" not in capsys.readouterr().err
    (context.results / spec.suite).unlink()
    assert execute_once(spec, context).status == "ok"


def test_what_fails_under_the_lock_fails_that_run_and_is_recorded(tmp_path: Path) -> None:
    context, spec, built = counted(tmp_path)

    @contextmanager
    def within() -> Iterator[None]:
        raise OSError(116, "Stale file handle", "run.log")
        yield

    record = execute_once(spec, context, within=within)
    assert (record.status, built) == ("failed", [])
    assert record.reason == "run.log: Stale file handle"
    assert read_record(record_path(context.results, spec.suite, spec.run_id)) == record


def test_the_context_of_the_execution_is_entered_under_the_lock_and_only_for_it(tmp_path: Path) -> None:
    context, spec, _ = counted(tmp_path)
    entered: list[bool] = []

    @contextmanager
    def within() -> Iterator[None]:
        entered.append(True)
        with pytest.raises(Busy):
            execute_once(spec, context, wait=False)
        yield

    first = execute_once(spec, context, within=within)
    assert execute_once(spec, context, within=within) == execute_once(spec, context, redo=True, within=within) == first
    assert entered == [True]


class Loose(Retrieval):
    """A task with a metric that it does not declare."""

    value: object = float("nan")

    def measure(self, arrays: Arrays) -> dict[str, float]:
        return {**super().measure(arrays), "extra": self.value}  # type: ignore[dict-item]


class LooseTasks:
    @hookimpl
    def kdbench_tasks(self) -> list[Offer[Task]]:
        return [Offer("loose", Loose)]


@pytest.mark.parametrize("value", [float("nan"), "high", None])
def test_a_metric_that_is_no_number_fails_the_run(value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that the task does not declare."""
    monkeypatch.setattr(Loose, "value", value)
    context = run_context(tmp_path)
    context.plugins.register(LooseTasks(), "tests:loose")
    spec = run_spec(())
    record = execute(spec.replace(task=spec.task.replace(name="loose", use="loose")), context)
    assert record.status == "failed"
    assert "measure['extra']: found" in record.reason
