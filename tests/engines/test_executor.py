"""What a process that executes tasks answers to them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdbench import KdbenchError, Lesson, Offer, Skip, Towers
from kdbench.engines.tasks import Executor
from kdbench.errors import KdbenchWarning
from tests.support.toys import bench, plugged, run_spec

Ask = Callable[[dict[str, Any]], list[dict[str, Any]]]


class Troubled:
    """A teacher that cannot be heard."""

    error: Exception = KdbenchError("")

    def towers(self, lesson: Lesson) -> Towers:  # noqa: ARG002
        raise self.error


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """An executor in this process, with the toys for plugins: the events that it answers a task with."""
    events: list[dict[str, Any]] = []
    with warnings.catch_warnings():  # a worker shows warnings in its own way
        warnings.simplefilter("always")
        settings = {"results": str(tmp_path), "cache": str(tmp_path / "cache"), "device": "cpu"}
        executor = Executor(settings, events.append)
        toys = bench(tmp_path, teachers=[Offer("troubled", Troubled)])
        executor.bench = replace(executor.bench, plugins=toys.plugins)

        def answers(task: dict[str, Any]) -> list[dict[str, Any]]:
            events.clear()
            executor.serve(task)
            assert json.loads(json.dumps(events)) == events  # they travel between processes
            return list(events)

        yield answers


def test_a_run_is_answered_with_its_record_at_the_end(ask: Ask) -> None:
    spec = run_spec()
    events = ask({"task": "run", "spec": spec.as_dict()})
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3]
    assert [event["event"] for event in events].count("done") == 1
    assert events[-1]["event"] == "done"
    assert (events[-1]["record"]["run_id"], events[-1]["record"]["status"]) == (spec.run_id, "ok")


def test_the_end_of_every_stage_is_told(ask: Ask) -> None:
    told = [event["progress"] for event in ask({"task": "run", "spec": run_spec().as_dict()}) if event["event"] == "progress"]
    ended = {progress["stage"] for progress in told if progress["done"] == progress["total"]}
    assert {"train", "encode train images", "encode test texts"} <= ended


@pytest.mark.parametrize("error", [KdbenchError("weights.bin: not there"), Skip("needs 80 GiB"), ZeroDivisionError("by zero")])
def test_a_teacher_that_cannot_be_prepared_costs_a_warning_and_not_the_worker(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Every run that needs it meets the same error, and is recorded with it."""
    monkeypatch.setattr(Troubled, "error", error)
    teacher = plugged("troubled", "t")
    events = ask({"task": "prepare", "dataset": plugged("beads"), "teacher": teacher, "id": "t"})
    assert events[-1] == {"event": "done"}
    (warning,) = [event["message"] for event in events if event["event"] == "warning"]
    assert "teacher t" in warning
    assert str(error) in warning
    record = ask({"task": "run", "spec": run_spec((teacher,)).as_dict()})[-1]["record"]
    assert record["status"] == ("skipped" if isinstance(error, Skip) else "failed")


def test_only_warnings_for_users_are_events(
    ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def towers(self: Troubled, lesson: Lesson) -> Towers:  # noqa: ARG001
        warnings.warn("a damaged entry", KdbenchWarning, stacklevel=1)
        warnings.warn("a library's worry", RuntimeWarning, stacklevel=1)
        raise KdbenchError("the end")

    monkeypatch.setattr(Troubled, "towers", towers)
    events = ask({"task": "prepare", "dataset": plugged("beads"), "teacher": plugged("troubled"), "id": "t"})
    messages = [event["message"] for event in events if event["event"] == "warning"]
    assert messages == ["a damaged entry", "teacher troubled: the end"]
    assert "a library's worry" in capsys.readouterr().err
