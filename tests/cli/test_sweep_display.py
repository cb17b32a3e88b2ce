"""The display of a sweep at work: as many lines as studies, whatever the trials."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from kdbench.cli.sweep_display import SweepDisplay
from kdbench.contracts import Progress
from kdbench.engines.messages import ProgressMade, TrialEnded
from kdbench.records.study_summary import State
from kdbench.suite.study import Study, studies
from tests.support.sweeping import suite_of


@pytest.fixture
def todo(tmp_path: Path) -> list[Study]:
    return studies(suite_of(tmp_path, ("trials: 4", "trials: 300")))


def display(todo: list[Study], terminal: bool) -> SweepDisplay:
    console = Console(file=io.StringIO(), force_terminal=terminal, color_system=None, width=120)
    return SweepDisplay(console, {study.name: (study, 10, 55.5 if study is todo[0] else None) for study in todo})


def printed(shown: SweepDisplay) -> str:
    assert isinstance(shown.console.file, io.StringIO)
    return shown.console.file.getvalue()


def over(number: int, state: State, value: float | None = None, reason: str = "") -> TrialEnded:
    values = () if value is None else (value,)
    return TrialEnded(number=number, id="t", params={}, state=state, values=values, reason=reason, seconds=61.0)


def at_work(done: int) -> ProgressMade:
    return ProgressMade(progress=Progress("t", "train", done, 9))


def test_a_bar_for_each_study_with_what_ended_before(todo: list[Study]) -> None:
    shown = display(todo, True)
    assert [(task.description, task.completed, task.total) for task in shown.live.tasks] == [
        (study.label, 10, 300) for study in todo
    ]
    shown(todo[0], at_work(3))
    assert shown.live.tasks[0].fields["note"] == "best 55.5000  train 3/9"
    shown(todo[1], at_work(4))
    assert shown.live.tasks[1].fields["note"] == "train 4/9"


def test_trials_move_the_bars_and_the_best(todo: list[Study]) -> None:
    shown = display(todo, True)
    for number in range(200):
        shown(todo[0], over(number, "complete", 50.0 + number % 7))
    shown(todo[0], over(201, "pruned", None, "after epoch 1"))
    shown(todo[0], at_work(1))
    assert (shown.live.tasks[0].completed, shown.live.tasks[0].fields["note"]) == (211, "best 56.0000  train 1/9")
    assert "trial 5" not in printed(shown)


def test_failures_are_said_at_once(todo: list[Study]) -> None:
    shown = display(todo, True)
    shown(todo[2], over(7, "failed", None, "[no] GPU"))
    assert printed(shown) == "[11/300] toy · a+b · ammkd, trial 7  failed: [no] GPU  1 min 1 s\n"


def test_without_a_terminal_every_trial_is_a_line(todo: list[Study]) -> None:
    shown = display(todo, False)
    with shown:
        shown(todo[0], over(3, "complete", 51.25))
        shown(todo[0], over(4, "pruned", None, "after epoch 1"))
    assert printed(shown).splitlines() == [
        "[11/300] toy · no distillation, trial 3  rsum 51.25  1 min 1 s",
        "[12/300] toy · no distillation, trial 4  pruned: after epoch 1  1 min 1 s",
    ]
