"""The plots of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kdbench.reports.palette import LOOKS
from kdbench.reports.plots.model import Panel, Points
from kdbench.reports.plots.trial_history import best_so_far, goals_against, parameter_importance, trial_history
from kdbench_plugins.reports.site.plotly_painter import paint
from tests.support.site_studies import study, traded, trial

LABELS = {"mean_recall": "mean recall"}


def _named(panel: Panel, label: str) -> Points:
    (found,) = (points for points in panel.points if points.label == label)
    return found


def _where(points: Points) -> tuple[list[float], list[float]]:
    places = [(mark.x, mark.y) for mark in points.marks if mark.x is not None and mark.y is not None]
    assert len(places) == len(points.marks)
    return [x for x, _ in places], [y for _, y in places]


def _best(values: list[float | None], better: Callable[[Iterable[float]], float]) -> list[float | None]:
    """By looking back at every trial."""
    found: list[float | None] = []
    for place in range(len(values)):
        seen = [value for value in values[: place + 1] if value is not None]
        found.append(better(seen) if seen else None)
    return found


def test_the_best_so_far_counts_complete_trials_in_either_direction() -> None:
    steps = best_so_far(study(), 0)
    assert [step.best for step in steps] == _best([t.values[0] if t.values else None for t in study().trials], max)
    assert [step.value for step in steps] == [31.5, 12.25, 40.25, None, 40.25, None, 35.0]
    for goal, better in enumerate((max, min, min)):
        values = [one.values[goal] if one.values else None for one in traded().trials]
        assert [step.best for step in best_so_far(traded(), goal)] == _best(values, better)


def test_trials_come_by_number_and_a_pruned_first_one_sets_no_best() -> None:
    trials = [trial(1, "complete", 5.0), trial(0, "pruned", epochs={1: 9.0, 2: 7.0})]
    steps = best_so_far(study(trials=trials, best=1), 0)
    assert [(step.trial.number, step.value, step.best) for step in steps] == [(0, 9.0, None), (1, 5.0, 5.0)]


def test_every_trial_is_drawn_once_and_told_apart_by_state() -> None:
    summary = study()
    panel = trial_history(summary, 0, LABELS)
    (line,) = panel.lines
    assert (line.x, line.y) == (tuple(range(7)), (31.5, 31.5, 40.25, 40.25, 40.25, 40.25, 40.25))
    assert (line.label, line.step) == ("best so far", True)
    assert panel.y.label == "mean recall"
    drawn = {points.label: _where(points) for points in panel.points if points.marks}
    assert drawn["complete"] == ([0, 2, 4, 6], [31.5, 40.25, 40.25, 35.0])
    assert drawn["pruned"] == ([1], [12.25])
    for state, number in (("diverged", 3), ("failed", 5)):
        (x,), (y,) = drawn[f"{state}, without a value"]
        assert x == number
        assert y < 12.25
    assert sorted(number for xs, _ in drawn.values() for number in xs) == list(range(7))
    assert len({LOOKS[points.role].symbol for points in panel.points}) == 4
    (mark,) = _named(panel, "pruned").marks
    assert mark.hover[:3] == ("trial 1, pruned: after epoch 1", "mean recall 12.25", "train.lr = 0.002")


def test_where_less_is_better_trials_without_a_value_stand_above() -> None:
    (y,) = _where(_named(trial_history(traded(), 1, {}), "failed, without a value"))[1]
    assert y > 3.0


def test_a_study_without_values_is_drawn() -> None:
    panel = trial_history(study(trials=[trial(0, "failed")], best=None), 0, {})
    assert [points.label for points in panel.points if points.marks] == ["failed, without a value"]
    assert panel.lines[0].x == ()


def test_numbers_far_apart_have_no_tick_each() -> None:
    """A browser would draw 10^14 of them."""
    far = study(trials=[trial(2, "complete", 1.0), trial(10**14, "complete", 2.0)], best=10**14)
    assert not trial_history(far, 0, {}).x.whole
    assert trial_history(study(), 0, {}).x.whole


def test_goals_are_drawn_against_the_first_with_the_pareto_set_marked() -> None:
    panel = goals_against(traded(), 2, LABELS)
    front, others = panel.points
    assert _where(front) == ([1_000_000.0, 2_500_000.0], [30.0, 40.0])
    assert _where(others) == ([1_000_000.0], [20.0])
    assert LOOKS[front.role].symbol != LOOKS[others.role].symbol
    assert (panel.x.label, panel.y.label) == ("parameters", "mean recall")


def test_importance_in_percent_in_the_order_given() -> None:
    panel = parameter_importance([("a<b>", 0.75), ("c", 0.25)])
    assert panel.bars is not None
    assert panel.bars.values == (75.0, 25.0)
    assert panel.y.names == ("a<b>", "c")
    figure = paint(panel)
    assert figure["traces"][0]["x"] == [75.0, 25.0]
    assert figure["layout"]["yaxis"]["ticktext"] == ["a&lt;b&gt;", "c"]
    low, high = figure["layout"]["yaxis"]["range"]
    assert low > high  # the first on top
