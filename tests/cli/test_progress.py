"""The display of a suite at work."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from kdbench.cli.progress import ProgressDisplay
from kdbench.contracts import Progress
from kdbench.plugins.loading import Plugins
from kdbench.records.record import Record
from kdbench.suite.spec import RunSpec

Spec = Callable[..., RunSpec]
Make = Callable[..., Record]


@pytest.fixture(params=[False, True], ids=["file", "terminal"])
def display(request: pytest.FixtureRequest) -> ProgressDisplay:
    return ProgressDisplay(Console(file=io.StringIO(), force_terminal=request.param, color_system=None, width=120), total=2)


def printed(display: ProgressDisplay) -> str:
    file = display.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def bars(display: ProgressDisplay) -> list[tuple[str, float, float | None, str]]:
    return [(task.description, task.completed, task.total, task.fields["note"]) for task in display.live.tasks[1:]]


def test_a_run_from_start_to_end(display: ProgressDisplay, spec: Spec, record: Make) -> None:
    run, run_id = spec(), spec().run_id
    with display:
        display.kdbench_run_started(run_id, run)
        display.kdbench_progress(Progress(run_id, "encode images", 1, 4))
        assert bars(display) == [(f"{run.label}: encode images", 1, 4, "")]
        display.kdbench_progress(Progress(run_id, "train", 5, 20, 1.25, {"a": 0.25, "b": 0.75}))
        assert bars(display) == [(run.label, 5, 20, "loss 1.250  a 0.25  b 0.75")]
        display.kdbench_progress(Progress(run_id, "train", 20, 20, 0.5))
        assert bars(display) == [(run.label, 20, 20, "loss 0.500")]
        display.kdbench_run_finished(run_id, record(run, rsum=123.44, timings={"train": 90.0, "evaluate": 5.0}))
        assert bars(display) == []
        assert display.live.tasks[0].completed == 1
    assert f"[1/2] {run.label}  RSUM 123.4  1 min 35 s\n" in printed(display)


def test_a_stage_that_ends_makes_room(display: ProgressDisplay) -> None:
    """A teacher's encoding belongs to no run and has no other end."""
    with display:
        display.kdbench_progress(Progress("lite0", "encode train images", 1, 2))
        assert bars(display) == [("lite0: encode train images", 1, 2, "")]
        display.kdbench_progress(Progress("lite0", "encode train images", 2, 2))
        assert bars(display) == []


def test_runs_are_counted(display: ProgressDisplay, spec: Spec, record: Make) -> None:
    with display:
        for seed in (0, 1):
            display.kdbench_run_finished(spec(seed=seed).run_id, record(spec(seed=seed)))
    assert re.findall(r"\[\d/2\] pebble · a\+b · equal · seed \d", printed(display)) == [
        "[1/2] pebble · a+b · equal · seed 0",
        "[2/2] pebble · a+b · equal · seed 1",
    ]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("failed", "pip install 'kdbench[quickstart]'"),
        ("failed", "[/tmp/x] is no folder"),
        ("skipped", "weights[0] is -1"),
        ("diverged", "the loss is nan in step 7"),
    ],
)
def test_a_reason_is_printed_as_it_is(status: str, reason: str, display: ProgressDisplay, spec: Spec, record: Make) -> None:
    """Square brackets are no markup: the name of the extra is what the reader needs."""
    with display:
        display.kdbench_run_finished(spec().run_id, record(spec(), status=status, reason=reason))
    assert f"[1/2] {spec().label}  {status}: {reason}\n" in printed(display)


def test_labels_are_printed_as_they_are(display: ProgressDisplay, spec: Spec, record: Make) -> None:
    run = spec(student={"name": "vit 48", "use": "pebble", "params": {}})
    with display:
        display.kdbench_run_finished(run.run_id, record(run))
    assert run.label in printed(display)


def test_a_file_gets_a_line_for_a_stage_and_no_bars(spec: Spec, record: Make) -> None:
    display = ProgressDisplay(Console(file=io.StringIO(), width=120), total=1)
    run = spec()
    with display:
        display.kdbench_run_started(run.run_id, run)
        for stage in ("encode images", "train"):
            for step in range(5):
                display.kdbench_progress(Progress(run.run_id, stage, step, 5))
        display.kdbench_run_finished(run.run_id, record(run))
    assert [line.lstrip("… ") for line in printed(display).splitlines() if line.strip()] == [
        f"{run.label}: encode images",
        run.label,
        f"[1/1] {run.label}  RSUM 100.0  10 s",
    ]


def test_hundreds_at_work_fit_the_screen(spec: Spec, record: Make) -> None:
    """The first are shown and the others counted; who ends makes room for the next."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=120, height=20)
    display = ProgressDisplay(console, total=120)
    runs = [spec(seed=seed) for seed in range(120)]
    with display:
        for run in runs:
            display.kdbench_run_started(run.run_id, run)
            display.kdbench_progress(Progress(run.run_id, "train", 1, 20))
        assert [task.visible for task in display.live.tasks[1:]] == [True] * 9 + [False] * 111
        assert display.live.tasks[0].fields["note"] == "111 more active"
        display.kdbench_run_finished(runs[4].run_id, record(runs[4]))
        assert [task.visible for task in display.live.tasks[1:]] == [True] * 9 + [False] * 110
        assert display.live.tasks[0].fields["note"] == "110 more active"
        shown = Console(file=io.StringIO(), width=120, height=20)
        shown.print(display.live.get_renderable())
        assert shown.file.getvalue().count("\n") == 10  # type: ignore[attr-defined]
        for run in runs[9:]:
            display.kdbench_run_finished(run.run_id, record(run))
        assert display.live.tasks[0].fields["note"] == ""


def test_a_file_gets_no_lines_for_the_stages_of_hundreds_of_runs(spec: Spec, record: Make) -> None:
    """Those of teachers, which are few and long, and the end of each run."""
    display = ProgressDisplay(Console(file=io.StringIO(), width=120), total=300)
    run = spec()
    with display:
        display.kdbench_progress(Progress("lite0", "encode train images", 1, 2))
        display.kdbench_run_started(run.run_id, run)
        display.kdbench_progress(Progress(run.run_id, "train", 1, 5))
        display.kdbench_run_finished(run.run_id, record(run))
    assert [line for line in printed(display).splitlines() if line.strip()] == [
        "… lite0: encode train images",
        f"[1/300] {run.label}  RSUM 100.0  10 s",
    ]


def test_it_is_a_tracker(plugins: Plugins, spec: Spec, record: Make) -> None:
    display = ProgressDisplay(Console(file=io.StringIO()), total=1)
    plugins.register(display, "kdbench:progress")
    events: dict[str, dict[str, Any]] = {
        "kdbench_run_started": {"run_id": "r", "spec": spec()},
        "kdbench_progress": {"progress": Progress("r", "train", 1, 2)},
        "kdbench_run_finished": {"run_id": "r", "record": record(spec())},
    }
    with display:
        for hook, arguments in events.items():
            plugins.notify(hook, **arguments)
    assert (display.labels, display.finished) == ({"r": spec().label}, 1)
