"""The plots of a study of tuning: its history, what its goals cost each other, and which parameters mattered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdbench.records.studies import LARGEST
from kdbench.records.study_summary import StudySummary, TrialSummary
from kdbench.reports.site.columns import metric_name
from kdbench.reports.site.plots import Figure, finite, plain
from kdbench.reports.site.shown import setting, value
from kdbench.reports.site.spread import HEAD, LINE

# By state: symbol and colour.
LOOKS = {
    "complete": ("circle", "--front"),
    "pruned": ("triangle-down-open", "--other"),
    "diverged": ("x", "--line-2"),
    "failed": ("square-open", "--line-5"),
}
EDGE = 0.08  # of the span of values: how far below the worst those without any stand
FEW = 16  # trials, each of which has a tick of its own
LONGEST = 160  # characters of a reason


@dataclass(frozen=True)
class Step:
    """A trial by number: its value, of one that was pruned that of its best epoch, and the best of complete ones so far."""

    trial: TrialSummary
    value: float | None
    best: float | None


def best_so_far(summary: StudySummary, goal: int) -> list[Step]:
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


def history_figure(summary: StudySummary, goal: int) -> Figure:
    """Every trial by number, told apart by state; trials without a value at the worse edge; the best so far as a line."""
    steps = best_so_far(summary, goal)
    known = [step.value for step in steps if step.value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = EDGE * ((high - low) or abs(high) or 1.0)
    edge = low - room if summary.directions[goal] == "maximize" else high + room
    traces = [
        {
            "name": "best so far",
            "mode": "lines",
            "x": [step.trial.number for step in steps if step.best is not None],
            "y": [finite(step.best) for step in steps if step.best is not None],
            "line": {"color": "--line-3", "width": 2, "shape": "hv"},
            "hoverinfo": "skip",
            "visible": any(step.best is not None for step in steps),
        }
    ]
    for state, (symbol, colour) in LOOKS.items():
        for valued in (True, False):
            shown = [step for step in steps if step.trial.state == state and (step.value is not None) is valued]
            traces.append(
                {
                    "name": state if valued else f"{state}, without a value",
                    "mode": "markers",
                    "x": [step.trial.number for step in shown],
                    "y": [edge if step.value is None else finite(step.value) for step in shown],
                    "marker": {"color": colour, "size": 9, "symbol": symbol, "line": {"color": colour, "width": 1.5}},
                    "hoverinfo": "text",
                    "hovertext": [_hover(step, _name(summary, goal)) for step in shown],
                    "visible": bool(shown),
                }
            )
    x = {"title": "trial", **({"dtick": 1} if len(steps) <= FEW else {})}
    layout = {"xaxis": x, "yaxis": {"title": _name(summary, goal)}, "height": 380}
    return {"traces": [{"type": "scatter", **trace} for trace in traces], "layout": layout, "levels": []}


def trade_figure(summary: StudySummary, goal: int) -> Figure:
    """The first goal of every complete trial against another, the Pareto set marked."""
    complete = [trial for trial in summary.trials if trial.state == "complete"]
    traces = []
    for name, symbol, colour, inside in (
        ("in the Pareto set", "diamond", "--front", True),
        ("not in it", "circle-open", "--other", False),
    ):
        shown = [trial for trial in complete if (trial.number in summary.pareto) is inside]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [finite(trial.values[goal]) for trial in shown],
                "y": [finite(trial.values[0]) for trial in shown],
                "marker": {"color": colour, "size": 10 if inside else 8, "symbol": symbol},
                "hoverinfo": "text",
                "hovertext": [_values(trial, summary) for trial in shown],
                "visible": bool(shown),
            }
        )
    layout = {"xaxis": {"title": _name(summary, goal)}, "yaxis": {"title": _name(summary, 0)}, "height": 380}
    return {"traces": traces, "layout": layout, "levels": []}


def importance_figure(importance: Sequence[tuple[str, float]]) -> Figure:
    """A bar a parameter, the longest on top."""
    places = list(range(len(importance)))
    shares = [finite(100 * share) for _, share in importance]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": shares,
        "y": places,
        "width": 0.6,
        "marker": {"color": "--front"},
        "hoverinfo": "text",
        "hovertext": [f"<b>{plain(path)}</b><br>{value(share)} %" for (path, _), share in zip(importance, shares, strict=True)],
    }
    ticks = {"tickvals": places, "ticktext": [plain(path) for path, _ in importance]}
    axis = {**ticks, "range": [len(places) - 0.5, -0.5], "ticks": ""}
    x = {"title": "share of the variance, %", "rangemode": "tozero"}
    return {"traces": [bars], "layout": {"xaxis": x, "yaxis": axis, "height": HEAD + LINE * max(2, len(places))}, "levels": []}


def _name(summary: StudySummary, goal: int) -> str:
    return plain(metric_name(summary.goals[goal]))


def _hover(step: Step, goal: str) -> str:
    trial = step.trial
    reason = f": {plain(trial.reason[:LONGEST])}" if trial.reason else ""
    told = f"{goal} {value(step.value)}" if step.value is not None else "no value"
    return "<br>".join([f"<b>trial {trial.number}</b>, {trial.state}{reason}", told, *_params(trial)])


def _values(trial: TrialSummary, summary: StudySummary) -> str:
    values = [f"{_name(summary, goal)} {value(found)}" for goal, found in enumerate(trial.values)]
    return "<br>".join([f"<b>trial {trial.number}</b>", *values, *_params(trial)])


def _params(trial: TrialSummary) -> list[str]:
    return [f"{plain(path)} = {plain(setting(found)[:LONGEST])}" for path, found in trial.params.items()]
