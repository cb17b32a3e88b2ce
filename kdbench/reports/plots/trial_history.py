"""The plots of a study: its history, what its goals cost each other, and which parameters mattered."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdbench.records.study_summary import LARGEST, State, StudySummary, TrialSummary
from kdbench.reports.palette import Role
from kdbench.reports.plots.model import Axis, Bars, Line, Mark, Panel, Points

STATES: dict[State, Role] = {"complete": "complete", "pruned": "pruned", "diverged": "diverged", "failed": "failed"}
EDGE = 0.08  # of the span of values: how far beyond the worst value trials without one are drawn
FEW = 16  # numbers of trials, each of which has a tick of its own
LONGEST = 160  # characters of a reason
NONE = "–"


@dataclass(frozen=True)
class Step:
    """A trial by number: its value (of a pruned one that of its best epoch) and the best of complete ones so far."""

    trial: TrialSummary
    value: float | None
    best: float | None


def best_so_far(summary: StudySummary, goal: int) -> list[Step]:
    """Every trial, by number."""
    better = max if summary.directions[goal] == "maximize" else min
    steps = []
    best: float | None = None
    for trial in sorted(summary.trials, key=lambda one: one.number):
        complete = trial.state == "complete"
        epochs = [one for one in trial.epochs.values() if abs(one) < LARGEST] if goal == 0 else []
        found = trial.values[goal] if complete else better(epochs) if epochs else None
        if complete and found is not None:
            best = found if best is None else better(best, found)
        steps.append(Step(trial, found, best))
    return steps


def trial_history(summary: StudySummary, goal: int, labels: Mapping[str, str]) -> Panel:
    """Every trial by number, marked by state; trials without a value at the worse edge; the best so far as a line.

    `labels` name goals for readers.
    """
    steps = best_so_far(summary, goal)
    name = _label(summary, goal, labels)
    known = [step.value for step in steps if step.value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = EDGE * ((high - low) or abs(high) or 1.0)
    edge = low - room if summary.directions[goal] == "maximize" else high + room
    points = []
    for state, role in STATES.items():
        for valued in (True, False):
            shown = [step for step in steps if step.trial.state == state and (step.value is not None) is valued]
            marks = tuple(
                Mark(float(step.trial.number), edge if step.value is None else step.value, hover=_hover(step, name))
                for step in shown
            )
            points.append(Points(state if valued else f"{state}, without a value", role, marks))
    counted = [step for step in steps if step.best is not None]
    x = tuple(float(step.trial.number) for step in counted)
    line = Line("best so far", x, tuple(step.best for step in counted), role="best", step=True)
    span = steps[-1].trial.number - steps[0].trial.number if steps else 0  # numbers may be far apart, and few
    axis = Axis("trial", whole=span < FEW)
    return Panel(axis, Axis(name), points=tuple(points), lines=(line,))


def goals_against(summary: StudySummary, goal: int, labels: Mapping[str, str]) -> Panel:
    """The first goal of every complete trial against another, the Pareto set marked."""
    complete = [trial for trial in summary.trials if trial.state == "complete"]
    sets: tuple[tuple[str, Role, bool], ...] = (("in the Pareto set", "pareto", True), ("not in it", "dominated", False))
    points = tuple(
        Points(
            name,
            role,
            tuple(
                Mark(trial.values[goal], trial.values[0], hover=_values(trial, summary, labels))
                for trial in complete
                if (trial.number in summary.pareto) is inside
            ),
        )
        for name, role, inside in sets
    )
    return Panel(Axis(_label(summary, goal, labels)), Axis(_label(summary, 0, labels)), points=points)


def parameter_importance(importance: Sequence[tuple[str, float]]) -> Panel:
    """A bar for each parameter, the first on top."""
    shares = tuple(100 * share for _, share in importance)
    hover = tuple((path, f"{value_text(share)} %") for (path, _), share in zip(importance, shares, strict=True))
    y = Axis(names=tuple(path for path, _ in importance), flipped=True)
    return Panel(Axis("share of the variance, %", from_zero=True), y, bars=Bars("share", shares, hover))


def value_text(found: float | None) -> str:
    """A figure of any size: four digits, or all before the point; counts as they are; `–` if there is none."""
    if found is None or not math.isfinite(found):
        return NONE
    return f"{found:,.0f}" if abs(found) >= (100 if float(found).is_integer() else 1000) else f"{found:#.4g}"


def setting_text(found: Any) -> str:
    """A parameter's value, short."""
    return found if isinstance(found, str) else f"{found:.4g}" if isinstance(found, float) else json.dumps(found)


def _label(summary: StudySummary, goal: int, labels: Mapping[str, str]) -> str:
    name = summary.goals[goal]
    return labels.get(name, name)


def _hover(step: Step, goal: str) -> tuple[str, ...]:
    trial = step.trial
    reason = f": {trial.reason[:LONGEST]}" if trial.reason else ""
    told = f"{goal} {value_text(step.value)}" if step.value is not None else "no value"
    return (f"trial {trial.number}, {trial.state}{reason}", told, *_params(trial))


def _values(trial: TrialSummary, summary: StudySummary, labels: Mapping[str, str]) -> tuple[str, ...]:
    values = [f"{_label(summary, goal, labels)} {value_text(found)}" for goal, found in enumerate(trial.values)]
    return (f"trial {trial.number}", *values, *_params(trial))


def _params(trial: TrialSummary) -> list[str]:
    return [f"{path} = {setting_text(found)[:LONGEST]}" for path, found in trial.params.items()]
