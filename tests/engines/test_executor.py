"""What a process that executes work answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torch import Tensor

from kdbench import KdbenchError, Offer, Signal, Skip, TeacherData, Towers
from kdbench.contracts import Site, Work
from kdbench.engines.executor import Executor
from kdbench.engines.messages import (
    EVENT,
    WORK,
    AnyEvent,
    AnyWork,
    Done,
    EpochFinished,
    ExecuteRun,
    Finished,
    PrepareTeacher,
    ProgressMade,
    RehearsalFailed,
    Rehearse,
    Warned,
    Working,
)
from kdbench.errors import KdbenchWarning
from kdbench.suite.spec import PluginSpec
from kdbench_plugins.strategies.equal import Equal
from tests.support.toys import Count, Projection, plugged, retrieval_spec, run_context, run_spec

Ask = Callable[[AnyWork], list[AnyEvent]]


class Troubled:
    """A teacher that cannot be built."""

    error: Exception = KdbenchError("")

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002
        raise self.error


class Spread(Equal):
    """NaN for the few samples of a rehearsal; numbers for more."""

    def weigh(self, signal: Signal) -> Tensor:
        return super().weigh(signal) * (float("nan") if signal.losses.shape[1] <= 8 else 1.0)


class Doubled(Equal):
    def weigh(self, signal: Signal) -> Tensor:
        return 2 * super().weigh(signal)


OFFERS = [Offer("spread", Spread), Offer("doubled", Doubled)]


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    """An executor in this process, with the toys for plugins: the events that it answers with, through JSON both ways."""
    events: list[AnyEvent] = []
    with warnings.catch_warnings():  # a worker shows warnings in its own way
        warnings.simplefilter("always")
        plugins = run_context(tmp_path, teachers=[Offer("troubled", Troubled)], strategies=OFFERS).plugins
        executor = Executor(Site(tmp_path, tmp_path / "cache", "cpu"), events.append, plugins)

        def answers(work: AnyWork) -> list[AnyEvent]:
            events.clear()
            executor.execute(WORK.validate_json(work.model_dump_json()))
            return [EVENT.validate_json(event.model_dump_json()) for event in events]

        yield answers


def prepare(teacher: PluginSpec) -> PrepareTeacher:
    return PrepareTeacher(task=retrieval_spec(), dataset=plugged("beads"), teacher=teacher)


def record_in(events: list[AnyEvent]) -> Finished:
    (found,) = [event for event in events if isinstance(event, Finished)]
    return found


def warned(events: list[AnyEvent]) -> list[str]:
    return [event.message for event in events if isinstance(event, Warned)]


def test_a_run_is_answered_with_its_record_at_the_end(ask: Ask) -> None:
    spec = run_spec()
    events = ask(ExecuteRun(spec=spec))
    assert [event.epoch for event in events if isinstance(event, EpochFinished)] == [1, 2, 3]
    assert events.count(Done()) == 1
    assert events[-1] == Done()
    assert events[-2] == record_in(events)
    assert (record_in(events).record.spec, record_in(events).record.status) == (spec, "ok")


def test_the_end_of_every_stage_is_reported(ask: Ask) -> None:
    made = [event.progress for event in ask(ExecuteRun(spec=run_spec())) if isinstance(event, ProgressMade)]
    ended = {progress.stage for progress in made if progress.done == progress.total}
    assert {"train", "encode train images", "encode test texts"} <= ended


def test_a_prepared_teacher_is_not_computed_again(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Count(Projection.encode)
    monkeypatch.setattr(Projection, "encode", lambda *arguments: counted(*arguments))
    spec = run_spec(("a",))
    events = ask(prepare(spec.team[0]))
    assert {event.progress.run_id for event in events if isinstance(event, ProgressMade)} == {"a"}
    assert counted.calls == 2
    assert record_in(ask(ExecuteRun(spec=spec))).record.status == "ok"
    assert counted.calls == 2


def test_only_messages_are_work(tmp_path: Path) -> None:
    class Other:
        key = label = ""
        needs: tuple[str, ...] = ()
        workers = 1

        def model_dump_json(self) -> str:
            return "{}"

    other: Work = Other()
    with warnings.catch_warnings(), pytest.raises(TypeError, match=r"not a message of kdbench\.engines\.messages"):
        Executor(Site(tmp_path, tmp_path, "cpu"), list[AnyEvent]().append).execute(other)


@pytest.mark.parametrize("error", [KdbenchError("weights.bin: not there"), Skip("needs 80 GiB"), ZeroDivisionError("by zero")])
def test_a_teacher_that_cannot_be_prepared_costs_a_warning_and_not_the_worker(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Every run that needs it records the same error."""
    monkeypatch.setattr(Troubled, "error", error)
    teacher = plugged("troubled", "t")
    events = ask(prepare(teacher))
    assert events[-1] == Done()
    (warning,) = warned(events)
    assert "teacher t" in warning
    assert str(error) in warning
    record = record_in(ask(ExecuteRun(spec=run_spec((teacher,))))).record
    assert record.status == ("skipped" if isinstance(error, Skip) else "failed")


def test_only_warnings_for_users_are_events(
    ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def towers(self: Troubled, data: TeacherData) -> Towers:  # noqa: ARG001
        warnings.warn("a damaged entry", KdbenchWarning, stacklevel=1)
        warnings.warn("a library's worry", RuntimeWarning, stacklevel=1)
        raise KdbenchError("the end")

    monkeypatch.setattr(Troubled, "towers", towers)
    assert warned(ask(prepare(plugged("troubled")))) == ["a damaged entry", "teacher troubled: the end"]
    assert "a library's worry" in capsys.readouterr().err


def test_numbers_that_are_not_finite_for_few_samples_fail_no_rehearsal(ask: Ask) -> None:
    answers = ask(Rehearse(spec=run_spec(strategy=plugged("spread"))))
    assert [type(event) for event in answers] == [Working, Warned, Done]
    assert isinstance(answers[1], Warned)
    assert "Spread.weigh: found" in answers[1].message
    assert "expected finite weights" in answers[1].message
    answers = ask(Rehearse(spec=run_spec(strategy=plugged("doubled"))))
    assert [type(event) for event in answers] == [Working, RehearsalFailed, Done]
