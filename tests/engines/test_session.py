"""One `kdbench run`: what is left to do, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from kdbench import KdbenchError, Offer, hookimpl
from kdbench.engines.session import Session
from kdbench.plugins.loading import Plugins
from kdbench.records.record import Record, Status, read_record, record_path, write_record
from kdbench.suite.plan import RunSpec

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


class Tracker:
    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    @hookimpl
    def kdbench_run_started(self, run_id: str) -> None:
        self.heard.append(("started", run_id))

    @hookimpl
    def kdbench_run_finished(self, run_id: str, record: dict[str, Any]) -> None:
        self.heard.append((record["status"], run_id))


@pytest.mark.parametrize(("status", "done"), [("ok", True), ("diverged", True), ("failed", False), ("skipped", False)])
def test_pending(status: Status, done: bool, spec: Spec, record: Make, plugins: Plugins, tmp_path: Path) -> None:
    """Failed and skipped runs are tried again; a run of another spec never stands in."""
    specs = [spec(), spec(seed=1)]
    write_record(tmp_path, record(specs[0], status=status))
    write_record(tmp_path, record(spec(seed=2)))
    session = Session(plugins, tmp_path, tmp_path / "cache")
    assert session.pending(specs) == specs[done:]
    assert list(session.records) == ([specs[0].run_id] if done else [])


def test_a_damaged_record_is_done_again(spec: Spec, record: Make, plugins: Plugins, tmp_path: Path) -> None:
    write_record(tmp_path, record(spec())).write_text("{}")
    assert Session(plugins, tmp_path, tmp_path / "cache").pending([spec()]) == [spec()]


def test_a_run_that_cannot_start_is_recorded_and_told(spec: Spec, plugins: Plugins, tmp_path: Path) -> None:
    """In a worker of its own, which knows installed plugins only: `shapes` is none."""
    run = spec(team=[], strategy=None, objective=[])
    tracker = Tracker()
    plugins.register(tracker, "tests:tracker")
    session = Session(plugins, tmp_path / "results", tmp_path / "cache", device="cpu", jobs=1)
    session.carry_out([run])
    written = read_record(record_path(tmp_path / "results", "tiny", run.run_id))
    assert session.records == {run.run_id: written}
    assert written.status == "failed"
    assert written.reason.startswith("no dataset is called 'shapes'")
    assert tracker.heard == [("started", run.run_id), ("failed", run.run_id)]


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
def test_a_tracker_is_told_once_it_is_asked_for(text: str, tone: int, plugins: Plugins, tmp_path: Path) -> None:
    bells = Bells()
    plugins.register(bells, "tests:bells")
    plugins.notify("kdbench_run_started", run_id="r", spec={})
    assert not bells.built
    Session(plugins, tmp_path, tmp_path / "cache").track(text)
    plugins.notify("kdbench_run_started", run_id="r", spec={})
    assert [(bell.tone, bell.heard) for bell in bells.built] == [(tone, [("started", "r")])]


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
        Session(plugins, tmp_path, tmp_path / "cache").track(text)
