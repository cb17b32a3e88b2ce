"""One `kdbench run`: what is left to do, and what trackers are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import Field

from kdbench import KdbenchError, Offer, Progress, hookimpl
from kdbench.contracts import Engine, Event, Site, Work
from kdbench.engines.messages import (
    AnyEvent,
    Crashed,
    Done,
    EpochFinished,
    ExecuteRun,
    Exited,
    Finished,
    PrepareTeacher,
    ProgressMade,
    RehearsalFailed,
    Rehearse,
    Signalled,
    Started,
    Warned,
)
from kdbench.engines.session import Session
from kdbench.errors import KdbenchWarning
from kdbench.plugins.loading import Plugins, installed
from kdbench.records.files import read_record, record_path, write_arrays, write_record
from kdbench.records.names import ARRAYS
from kdbench.records.parts import Part
from kdbench.records.record import Record, Status
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import RunSpec
from kdbench_plugins.engines.local import Local
from tests.support.paths import ROOT

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


class Tracker:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    @hookimpl
    def kdbench_run_started(self, run_id: str, spec: RunSpec) -> None:
        self.heard.append(("started", run_id, spec))

    @hookimpl
    def kdbench_progress(self, progress: Progress) -> None:
        self.heard.append(("progress", progress))

    @hookimpl
    def kdbench_epoch_finished(self, run_id: str, epoch: int, metrics: dict[str, float]) -> None:
        self.heard.append(("epoch", run_id, epoch, metrics))

    @hookimpl
    def kdbench_run_finished(self, run_id: str, record: Record) -> None:
        self.heard.append((record.status, run_id, record))


class Recited:
    """An engine that recites events of runs, and crashes in teachers."""

    def __init__(self, *events: AnyEvent, others: Sequence[AnyEvent] = (Crashed(reason=Exited(code=1)),)) -> None:
        self.events, self.others = events, others
        self.work: list[Work] = []

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:  # noqa: ARG002
        self.work += work
        for one in work:
            for event in self.events if isinstance(one, ExecuteRun) else self.others:
                on_event(one, event)


def session_in(folder: Path, plugins: Plugins, engine: Engine | None = None) -> Session:
    return Session(Site(folder / "results", folder / "cache", "cpu", 1), engine or Local(), plugins)


@pytest.mark.parametrize(("status", "done"), [("ok", True), ("diverged", True), ("failed", False), ("skipped", False)])
def test_pending(status: Status, done: bool, spec: Spec, record: Make, plugins: Plugins, tmp_path: Path) -> None:
    """Failed and skipped runs are tried again; the record of another spec never counts."""
    specs, session = [spec(), spec(seed=1)], session_in(tmp_path, plugins)
    write_record(session.site.results, record(specs[0], status=status))
    write_record(session.site.results, record(spec(seed=2)))
    assert session.pending(specs) == specs[done:]
    assert list(session.records) == ([specs[0].run_id] if done else [])


@pytest.mark.parametrize("fails", [True, False])
def test_the_record_of_other_code_that_stays_after_a_failed_redo_is_told_as_such(
    fails: bool, spec: Spec, record: Make, plugins: Plugins, tmp_path: Path
) -> None:
    one = spec()
    other = {f"student {one.student.name}": Part(package="tests", code="0" * 64)}
    write_record(tmp_path / "results", record(one, parts=other))
    event = Finished(record=record(one, status="failed" if fails else "ok", reason="wrong" if fails else ""))
    session = session_in(tmp_path, plugins, Recited(event))
    assert session.pending([one], redo=True) == [one]
    assert session.changes == []
    session.run([one])
    told = [f"student {one.student.name}: the code of tests has changed" in text for text in session.changes]
    assert told == ([True] if fails else [])


def test_a_damaged_record_is_done_again(spec: Spec, record: Make, plugins: Plugins, tmp_path: Path) -> None:
    session = session_in(tmp_path, plugins)
    write_record(session.site.results, record(spec())).write_text("{}")
    assert session.pending([spec()]) == [spec()]


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:-1]), Path.unlink])
def test_a_run_with_damaged_arrays_is_done_again(
    damage: Callable[[Path], object], spec: Spec, record: Make, plugins: Plugins, tmp_path: Path
) -> None:
    session = session_in(tmp_path, plugins)
    path = record_path(session.site.results, "tiny", spec().run_id)
    digest = write_arrays(path, {"text": np.arange(3)})
    write_record(session.site.results, record(spec(), arrays_sha256=digest))
    assert session.pending([spec()]) == []
    damage(path.with_suffix(ARRAYS))
    assert session.pending([spec()]) == [spec()]


def test_a_run_that_cannot_start_is_recorded_and_tracked(spec: Spec, plugins: Plugins, tmp_path: Path) -> None:
    """In a worker process, which knows installed plugins only: `shapes` is none."""
    run, tracker = spec(team=[], strategy=None, objective=[]), Tracker()
    plugins.register(tracker, "tests:tracker")
    session = session_in(tmp_path, plugins)
    session.run([run])
    written = read_record(record_path(tmp_path / "results", "tiny", run.run_id))
    assert session.records == {run.run_id: written}
    assert written.status == "failed"
    assert written.reason.startswith("no dataset is called 'shapes'")
    assert tracker.heard == [("started", run.run_id, run), ("failed", run.run_id, written)]


def test_trackers_are_told_of_every_event_of_a_run(spec: Spec, record: Make, plugins: Plugins, tmp_path: Path) -> None:
    run, tracker = spec(team=[], strategy=None, objective=[]), Tracker()
    done, progress = record(run), Progress(run.run_id, "train", 1, 2)
    plugins.register(tracker, "tests:tracker")
    epoch = EpochFinished(run_id=run.run_id, epoch=1, metrics={"loss": 1.0})
    engine = Recited(Started(), ProgressMade(progress=progress), epoch, Finished(record=done, log="it said"), Done())
    session = session_in(tmp_path, plugins, engine)
    session.run([run])
    assert tracker.heard == [
        ("started", run.run_id, run),
        ("progress", progress),
        ("epoch", run.run_id, 1, {"loss": 1.0}),
        ("ok", run.run_id, done),
    ]
    assert (session.records, session.logs) == ({run.run_id: done}, {run.run_id: "it said"})


def test_teachers_come_first_and_warnings_are_warnings(spec: Spec, record: Make, plugins: Plugins, tmp_path: Path) -> None:
    run, tracker = spec(), Tracker()
    plugins.register(tracker, "tests:tracker")
    engine = Recited(Warned(message="a damaged entry"), Finished(record=record(run)))
    with pytest.warns(KdbenchWarning) as warned:
        session_in(tmp_path, plugins, engine).run([run, run.replace(seed=1)])
    assert [type(work) for work in engine.work] == [Rehearse] + [PrepareTeacher] * 2 + [ExecuteRun] * 2
    ended = "ended early: its process died (exit code 1)"
    assert [str(one.message) for one in warned] == [
        f"rehearsal of {run.cell_label} {ended}",
        f"preparing teacher a {ended}",
        f"preparing teacher b {ended}",
        "a damaged entry",
        "a damaged entry",
    ]
    assert [event[0] for event in tracker.heard] == ["ok", "ok"]


def test_runs_of_kdbenchs_own_plugins_are_not_rehearsed(tmp_path: Path) -> None:
    """tests/runs/test_rehearse.py rehearses those."""
    engine = Recited()
    specs = [spec for spec in plan(load_suite(ROOT / "suites/quickstart.yaml", installed())) if spec.team]
    with pytest.warns(KdbenchWarning, match="preparing teacher"):
        session_in(tmp_path, installed(), engine).run(specs)
    assert [type(work) for work in engine.work if not isinstance(work, PrepareTeacher)] == [ExecuteRun] * len(specs)


def test_runs_whose_rehearsal_fails_are_recorded_and_no_teacher_is_prepared_for_them(
    spec: Spec, plugins: Plugins, tmp_path: Path
) -> None:
    run, other, tracker = spec(), spec(team=[], strategy=None, objective=[]), Tracker()
    plugins.register(tracker, "tests:tracker")
    engine = Recited(others=[RehearsalFailed(reason="Mine.weigh: found None")])
    session = session_in(tmp_path, plugins, engine)
    session.run([run, other, run.replace(seed=1)])
    assert [type(work) for work in engine.work] == [Rehearse, ExecuteRun]
    assert isinstance(engine.work[1], ExecuteRun)
    assert engine.work[1].spec == other
    reason = "rehearsal of two steps on the CPU, before teachers are prepared: Mine.weigh: found None"
    for failed in (run, run.replace(seed=1)):
        written = read_record(record_path(tmp_path / "results", "tiny", failed.run_id))
        assert (written.status, written.reason) == ("failed", reason)
        assert session.records[failed.run_id] == written
    assert [event[0] for event in tracker.heard] == ["started", "failed"] * 2


def test_a_crash_is_a_record_that_says_how_to_resume(spec: Spec, plugins: Plugins, tmp_path: Path) -> None:
    run, tracker = spec(team=[], strategy=None, objective=[]), Tracker()
    plugins.register(tracker, "tests:tracker")
    engine = Recited(Started(), Crashed(reason=Signalled(signal="SIGSEGV"), log="the last words"))
    session = session_in(tmp_path, plugins, engine)
    session.run([run])
    written = read_record(record_path(tmp_path / "results", "tiny", run.run_id))
    assert (written.status, session.records, session.logs) == ("failed", {run.run_id: written}, {run.run_id: "the last words"})
    assert written.reason == "its process died (signal SIGSEGV); run again to resume from its last checkpoint, if it has one"
    assert tracker.heard[-1] == ("failed", run.run_id, written)
    assert session.pending([run]) == [run]


class Bell(Tracker):
    def __init__(self, *, tone: Annotated[int, Field(ge=1)] = 1) -> None:
        super().__init__()
        self.tone = tone


class Bells:
    def __init__(self) -> None:
        self.built: list[Bell] = []

    def build(self, *, tone: Annotated[int, Field(ge=1)] = 1) -> Bell:
        self.built.append(Bell(tone=tone))
        return self.built[-1]

    @hookimpl
    def kdbench_trackers(self) -> list[Offer[Any]]:
        return [Offer("bell", self.build, "rings")]


@pytest.mark.parametrize(("text", "tone"), [("bell", 1), ("{use: bell, tone: 3}", 3)])
def test_a_tracker_is_told_once_it_is_added(text: str, tone: int, plugins: Plugins, tmp_path: Path) -> None:
    bells = Bells()
    plugins.register(bells, "tests:bells")
    plugins.notify("kdbench_run_started", run_id="r", spec=None)
    assert not bells.built
    session_in(tmp_path, plugins).track(text)
    plugins.notify("kdbench_run_started", run_id="r", spec=None)
    assert [(bell.tone, bell.heard) for bell in bells.built] == [(tone, [("started", "r", None)])]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bel", "--track: use\n  found     'bel'\n  expected  a tracker: bell\n  did you mean 'bell'?"),
        ("{tone: 3}", "--track: found '{tone: 3}', expected a tracker's name or a map"),
        ("[bell]", r"--track: found '\[bell\]', expected a tracker's name or a map"),
        ("{use: bell, tone: 0}", "--track: tone\n  found     0\n  expected  greater than or equal to 1"),
        ("{use: bell, tune: 2}", "--track: tune\n  found     'tune'\n  expected  one of tone\n  did you mean 'tone'?"),
    ],
)
def test_a_tracker_that_is_not_one_is_refused(text: str, message: str, plugins: Plugins, tmp_path: Path) -> None:
    plugins.register(Bells(), "tests:bells")
    with pytest.raises(KdbenchError, match=message):
        session_in(tmp_path, plugins).track(text)
