"""The plots of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kdbench.reports.site.history import best_so_far, history_figure, importance_figure, trade_figure
from tests.support.site_studies import study, traded, trial


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
    line, *marks = history_figure(summary, 0)["traces"]
    assert (line["x"], line["y"]) == (list(range(7)), [31.5, 31.5, 40.25, 40.25, 40.25, 40.25, 40.25])
    drawn = {name: (t["x"], t["y"]) for t in marks if t["visible"] for name in [t["name"]]}
    assert drawn["complete"] == ([0, 2, 4, 6], [31.5, 40.25, 40.25, 35.0])
    assert drawn["pruned"] == ([1], [12.25])
    for state, number in (("diverged", 3), ("failed", 5)):
        (x,), (y,) = drawn[f"{state}, without a value"]
        assert x == number
        assert y < 12.25
    assert sorted(number for xs, _ in drawn.values() for number in xs) == list(range(7))
    assert len({t["marker"]["symbol"] for t in marks}) == 4
    (text,) = next(t for t in marks if t["name"] == "pruned")["hovertext"]
    assert text.startswith("<b>trial 1</b>, pruned: after epoch 1<br>mean of all R@K 12.25<br>train.lr = 0.002<br>")


def test_where_less_is_better_trials_without_a_value_stand_above() -> None:
    (failed,) = [t for t in history_figure(traded(), 1)["traces"] if t["name"] == "failed, without a value"]
    assert failed["y"][0] > 3.0


def test_a_study_without_values_is_drawn() -> None:
    figure = history_figure(study(trials=[trial(0, "failed")], best=None), 0)
    assert [t["name"] for t in figure["traces"] if t["visible"]] == ["failed, without a value"]


def test_goals_are_drawn_against_the_first_with_the_pareto_set_marked() -> None:
    front, others = trade_figure(traded(), 2)["traces"]
    assert (front["x"], front["y"]) == ([1_000_000.0, 2_500_000.0], [30.0, 40.0])
    assert (others["x"], others["y"]) == ([1_000_000.0], [20.0])
    assert front["marker"]["symbol"] != others["marker"]["symbol"]


def test_importance_in_percent_in_the_order_given() -> None:
    figure = importance_figure([("a<b>", 0.75), ("c", 0.25)])
    assert figure["traces"][0]["x"] == [75.0, 25.0]
    assert figure["layout"]["yaxis"]["ticktext"] == ["a&lt;b&gt;", "c"]
    low, high = figure["layout"]["yaxis"]["range"]
    assert low > high  # the first on top
