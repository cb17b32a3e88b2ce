"""A paragraph of advice."""

from __future__ import annotations

from kdbench.reports import build
from kdbench.reports.regimes import advice
from kdbench.suite.race import RaceDesign
from tests.support.situations import regime, situations


def test_the_paragraph() -> None:
    said = advice(build(situations()).regimes, about=["good", "bad"])
    assert said.startswith(
        "Weighting matters in 2 of 3 regimes: “mixed” and “wrong”. In the others (“alike”) no strategy is significantly better "
        "than equal. Use good: it is significantly better than equal in “mixed” and “wrong”, and significantly worse in none. "
        "Against equal, good is significantly better in “mixed” and “wrong” and is undecided in “alike”. "
        "Against equal, bad is significantly worse in “wrong” and is undecided in “alike” and “mixed”. "
        "In “mixed” one teacher alone is significantly better than all with equal weights. This rests on 52 runs, "
    )
    assert "; in every regime half of the comparisons with equal would find a difference of " in said
    assert said.endswith("(80 % power).")


def test_a_comparison_on_one_seed_does_not_count_as_finding_everything() -> None:
    runs = regime("alike", {"good": 3.0, "bad": 3.0})
    once = regime("alike", {"good": 3.0, "bad": 3.0, "late": 3.0}, seeds=1)
    late = [run for run in once if (strategy := run.record.spec.strategy) and strategy.name == "late"]
    without, with_it = (advice(build(all_of).regimes).partition(" would find ")[2] for all_of in (runs, [*runs, *late]))
    assert with_it == without != ""


def test_nothing_is_advised_without_evidence() -> None:
    assert advice([]) == ""
    said = advice(build(regime("alike", {"good": 3.0, "told": 1.0})).regimes)
    assert said.startswith("In “alike” no strategy is significantly better than equal. This rests on 12 runs")


def test_a_strategy_that_is_worse_somewhere_is_not_advised() -> None:
    runs = [*regime("one", {"good": 2.0}), *regime("two", {"good": 4.0})]
    assert "Use equal: every strategy that is significantly better somewhere is significantly worse elsewhere." in advice(
        build(runs).regimes
    )


def test_what_was_told_is_not_advised() -> None:
    assert "told" not in advice(build(situations()).regimes)


def test_whether_a_race_goes_on_and_what_is_alike_everywhere_are_told() -> None:
    race = RaceDesign(min_seeds=2, max_seeds=12, looks=5)
    said = advice(build(regime("alike", {"good": 3.0, "bad": 3.0}, seeds=2, race=race)).regimes)
    assert said.endswith(" The race goes on in 3 rows.")
    said = advice(build([*regime("one", {"good": 3.0}), *regime("two", {"good": 3.0})]).regimes, about=["good"])
    assert "Against equal, good is undecided in all of them." in said


def test_before_the_first_look_of_a_race_there_is_no_advice() -> None:
    race = RaceDesign(min_seeds=3, max_seeds=6, looks=2)
    board = build(regime("alike", {"good": 2.0}, seeds=2, race=race))
    assert advice(board.regimes) == "No regime is tested yet: their race has not reached its first look."
    (table,) = board.tables
    assert table.sentence == "Not tested yet: the first look of the race is at 3 seeds."
    assert {(row.first, row.stopped) for row in table.rows} == {(0, "running")}
    assert {gain.found for gain in board.regimes[0].gains} == {"untested"}
