"""Messages between processes: all of them survive JSON, and crashes are rendered last."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench import Progress
from kdbench.contracts.names import is_name
from kdbench.engines.messages import (
    EVENT,
    WORK,
    AnyEvent,
    AnyWork,
    Busy,
    Crashed,
    Done,
    EpochFinished,
    ExecuteRun,
    Exited,
    Finished,
    Lost,
    PrepareTeacher,
    ProgressMade,
    RehearsalFailed,
    Rehearse,
    ServeStudy,
    Signalled,
    Started,
    TimedOut,
    TrialEnded,
    TrialStarted,
    Waiting,
    Warned,
    WorkerFailed,
    Working,
    preparations,
    rehearsals,
)
from kdbench.records.record import Record
from kdbench.storage.archives import FARTHEST
from kdbench.suite.spec import Fold, PluginSpec, RunSpec, TaskDataset, TermSpec, Tuning
from kdbench.suite.study import Study
from kdbench.suite.sweep import Parameter, Pruner, Settings
from tests.support.patience import calls
from tests.support.toys import run_spec

text = st.text(max_size=8)
name = st.text("azAZ09 ._+,:=/-", max_size=8).map("n{}".format).filter(is_name)
number = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**53), 2**53)
any_number = st.floats() | st.just(math.inf) | st.just(math.nan)
scalar = st.none() | st.booleans() | whole | number | text
values = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=5
)
params = st.dictionaries(text, values, max_size=3)
metrics = st.dictionaries(text, any_number, max_size=3)
plugin = st.builds(PluginSpec, name=name, use=name, params=params, defaults=params, version=st.integers(1, 3))
term = st.builds(TermSpec, name=name, use=name, params=params, coefficient=number)
tuning = st.builds(Tuning, split=text, trials=st.integers(1, 50), metric=text)
specs = st.builds(
    lambda **changes: run_spec().replace(**changes),
    suite=st.text("azAZ09_.+-", max_size=8).map("n{}".format),
    dataset=plugin,
    student=plugin,
    team=st.lists(plugin, max_size=2).map(tuple),
    strategy=st.none() | plugin,
    objective=st.lists(term, max_size=2).map(tuple),
    seed=st.integers(0, 9),
    variant=name,
    smoke=st.booleans(),
    tuning=st.none() | tuning,
)
parameter = st.builds(Parameter, path=text, kind=st.just("choice"), choices=st.lists(values, max_size=3)) | st.builds(
    Parameter, path=text, kind=st.sampled_from(["float", "int"]), low=whole | number, high=whole | number, log=st.booleans()
)
settings = st.builds(
    Settings,
    trials=st.integers(1, 99),
    metric=text,
    pruner=st.none() | st.builds(Pruner, min_resource=st.integers(1, 9)),
    objectives=st.lists(text, max_size=2),
    minimize=st.lists(text, max_size=2),
)
studies = st.builds(Study, spec=specs, space=st.lists(parameter, max_size=3).map(tuple), settings=settings)
records = st.builds(
    lambda **fields: _record(**fields),
    spec=specs,
    metrics=st.dictionaries(text, st.floats(-FARTHEST, FARTHEST), max_size=3),
    encodings=st.dictionaries(text, st.floats(0, FARTHEST), max_size=2),
    best_epoch=st.none() | st.integers(1, 9),
    status=st.sampled_from(["ok", "failed", "diverged", "skipped"]),
    reason=text,
)
reasons = (
    st.builds(Signalled, signal=text)
    | st.builds(Exited, code=st.integers(0, 255))
    | st.builds(TimedOut, seconds=number)
    | st.builds(Lost, times=st.integers(1, 9), error=text)
    | st.builds(WorkerFailed, error=text)
)
progress = st.builds(
    Progress, run_id=text, stage=text, done=st.integers(0), total=st.integers(0), loss=st.none() | any_number, weights=metrics
)
WORKS: dict[type[Any], st.SearchStrategy[AnyWork]] = {
    Rehearse: st.builds(Rehearse, spec=specs),
    PrepareTeacher: st.builds(PrepareTeacher, task=plugin, dataset=plugin, teacher=plugin),
    ExecuteRun: st.builds(ExecuteRun, spec=specs),
    ServeStudy: st.builds(ServeStudy, study=studies, storage=text),
}
EVENTS: dict[type[Any], st.SearchStrategy[AnyEvent]] = {
    Started: st.builds(Started),
    Working: st.builds(Working),
    Waiting: st.builds(Waiting),
    RehearsalFailed: st.builds(RehearsalFailed, reason=text),
    ProgressMade: st.builds(ProgressMade, progress=progress),
    EpochFinished: st.builds(EpochFinished, run_id=text, epoch=st.integers(1), metrics=metrics),
    Warned: st.builds(Warned, message=text),
    TrialStarted: st.builds(TrialStarted, number=st.integers(0), id=text, params=params),
    TrialEnded: st.builds(
        TrialEnded,
        number=st.integers(0),
        id=text,
        params=params,
        state=st.sampled_from(["complete", "pruned", "diverged", "failed"]),
        values=st.lists(any_number, max_size=2).map(tuple),
        reason=text,
        seconds=number,
        log=text,
    ),
    Finished: st.builds(Finished, record=records, log=text),
    Busy: st.builds(Busy),
    Done: st.builds(Done, last=st.booleans()),
    Crashed: st.builds(Crashed, reason=reasons, trial=st.none() | st.integers(0), log=text),
}


def _record(spec: RunSpec, **fields: Any) -> Record:
    rest: dict[str, Any] = {"versions": {}, "commit": None, "dirty": None, "host": {}, "device": "cpu", "threads": 1}
    ids: dict[str, Any] = {"run_id": spec.run_id, "cell_id": spec.cell_id, "label": spec.label}
    return Record(spec=spec, started="now", finished="then", **ids, **rest, **fields)


def same(one: Any, other: Any) -> bool:
    """Equal, types of numbers included; NaN is itself."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def test_every_message_is_listed_here() -> None:
    assert set(WORKS) == set(get_args(AnyWork))
    assert set(EVENTS) == set(get_args(AnyEvent))


@given(st.one_of(*WORKS.values()))
def test_all_work_survives_json(work: AnyWork) -> None:
    read = WORK.validate_json(work.model_dump_json())
    assert type(read) is type(work)
    assert same(read.model_dump(), work.model_dump())
    assert (read.key, read.label, read.needs, read.workers) == (work.key, work.label, work.needs, work.workers)


@given(st.one_of(*EVENTS.values()))
def test_all_events_survive_json(event: AnyEvent) -> None:
    read = EVENT.validate_json(event.model_dump_json())
    assert type(read) is type(event)
    assert same(read.model_dump(), event.model_dump())


def test_thousands_of_runs_travel_in_little_time() -> None:
    """Each is a few kilobytes, written and read by a number of calls that does not depend on how many there are."""
    works = [ExecuteRun(spec=run_spec(seed=seed)) for seed in range(3000)]

    def travel(count: int) -> None:
        assert [WORK.validate_json(work.model_dump_json()).key for work in works[:count]] == [
            work.key for work in works[:count]
        ]

    travel(3000)
    assert max(len(work.model_dump_json()) for work in works[:10]) < 5000
    assert calls(lambda: travel(300)) < 11 * calls(lambda: travel(30))


def test_a_teacher_is_prepared_once_for_all_that_need_it() -> None:
    """Whatever its label; another dataset or task is another preparation."""
    one, other = run_spec(("a", "b")), run_spec(("b", "c"), seed=1)
    found = preparations([one, other, run_spec(())])
    assert [work.teacher.name for work in found] == ["a", "b", "c"]
    assert [work.label for work in found] == ["teacher a", "teacher b", "teacher c"]
    assert ExecuteRun(spec=one).needs == tuple(work.key for work in found[:2])
    assert ExecuteRun(spec=other).needs == tuple(work.key for work in found[1:])
    renamed = one.replace(team=tuple(teacher.replace(name=f"my {teacher.name}") for teacher in one.team))
    assert ExecuteRun(spec=renamed).needs == ExecuteRun(spec=one).needs
    for change in ("dataset", "task"):
        moved = one.replace(**{change: getattr(one, change).replace(params={"x": 1})})
        assert set(ExecuteRun(spec=moved).needs).isdisjoint(ExecuteRun(spec=one).needs)


def test_a_transfer_run_needs_the_run_that_trains_its_student_and_no_teacher() -> None:
    one = run_spec(("a", "b"))
    far = one.dataset.replace(name="far", params={"seed": 1})
    transfer = one.replace(dataset=far, trained_on=TaskDataset(task=one.task, dataset=one.dataset))
    reference = transfer.replace(student=one.team[0], team=(), strategy=None, objective=(), train=None, role="reference")
    assert ExecuteRun(spec=transfer).needs == (one.run_id,) == (ExecuteRun(spec=one).key,)
    assert ExecuteRun(spec=reference).needs == ()
    assert preparations([transfer, reference]) == []
    assert rehearsals([transfer, reference]) == []


def test_runs_of_other_teachers_are_rehearsed_apart() -> None:
    """One of them may lack a tower; seeds and labels do not count."""
    one, other = run_spec(("a", "b")), run_spec(("a", "c"))
    other = other.replace(team=(other.team[0], other.team[1].replace(params={"seed": 9})))
    renamed = one.replace(seed=5, team=tuple(teacher.replace(name=f"my {teacher.name}") for teacher in one.team))
    assert [work.key for work in rehearsals([one, renamed, other])] == [Rehearse(spec=one).key, Rehearse(spec=other).key]


@pytest.mark.parametrize(
    ("reason", "prose"),
    [
        (Signalled(signal="SIGSEGV"), "its process died (signal SIGSEGV)"),
        (
            Signalled(signal="SIGKILL"),
            "its process died (signal SIGKILL); if the memory was exhausted, lower train.micro_batch, train.batch_size or "
            "evaluate.batch_size, or --jobs",
        ),
        (
            TimedOut(seconds=60.0),
            "it was stopped after 60 s, its limit (--timeout, or `timeout` in the suite): see the stacks at the end of its "
            "log, or raise the limit",
        ),
        (Exited(code=3), "its process died (exit code 3)"),
        (Lost(times=3, error="NodeDied: x"), "its process was lost 3 times at the same step (NodeDied: x)"),
        (WorkerFailed(error="ValueError: x"), "the worker failed: ValueError: x"),
    ],
)
def test_prose_of_crashes(reason: Any, prose: str) -> None:
    assert f"{reason}" == prose


def test_messages_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Warned(message="x").message = "y"
    with pytest.raises(ValueError, match="extra"):
        EVENT.validate_json('{"kind": "warned", "message": "x", "more": 1}')
    with pytest.raises(ValueError, match="kind"):
        EVENT.validate_json('{"kind": "whispered"}')


def test_a_teacher_is_prepared_for_each_fold_and_a_rehearsal_done_once() -> None:
    runs = [run_spec(seed=seed, fold=Fold(index=index, of=3)) for seed in range(2) for index in range(3)]
    work = preparations(runs)
    assert [(one.teacher.name, one.fold.index if one.fold else None) for one in work] == [
        (name, index) for index in range(3) for name in "ab"
    ]
    assert len({one.key for one in (*work, *preparations([run_spec()]))}) == 8
    assert work[2].label == "teacher a · fold 2/3"
    assert [set(ExecuteRun(spec=run).needs) for run in runs[:3]] == [{work[2 * i].key, work[2 * i + 1].key} for i in range(3)]
    assert len(rehearsals(runs)) == 1
