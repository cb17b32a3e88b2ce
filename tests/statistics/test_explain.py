"""Two rows compared in words and figures."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.errors import KdbenchError
from kdbench.records.measured import Measured
from kdbench.statistics import Explanation, explain
from kdbench.statistics.crossed import LEVEL
from kdbench.statistics.deciding import Answer
from kdbench.statistics.splits import split_of
from tests.support.folded import FOLDS, fold_row, fold_units
from tests.support.rankings import changed, row, run, units_of
from tests.support.toys import retrieval_spec


def known() -> tuple[list[Measured], list[Measured]]:
    """Two images, two captions, three seeds. A finds image 1 at rank 2, 9, 2 for caption 0; B always at 20."""
    a = [run("a", seed, [1, 30], [rank, 7]) for seed, rank in enumerate([2, 9, 2])]
    b = [run("b", seed, [1, 3], [20, 7]) for seed in range(3)]
    return a, b


def test_queries_that_changed_by_hand() -> None:
    found = explain(*known())
    assert [(q.of.label, q.index, q.a, q.b) for q in found.gained] == [("t2i", 0, 2, 20)]
    assert [(q.of.label, q.index, q.a, q.b) for q in found.lost] == [("i2t", 1, 30, 3)]
    assert (found.shares["t2i"].better, found.shares["t2i"].worse, found.shares["t2i"].same) == (0.5, 0, 0.5)
    assert (found.shares["i2t"].better, found.shares["i2t"].worse, found.shares["i2t"].same) == (0, 0.5, 0.5)
    # t2i: R@5 and R@10 +50 where the rank is 2, R@10 +50 where it is 9; i2t: image 1 leaves R@5 and R@10
    assert found.by_run == pytest.approx({(0,): 0, (1,): -50, (2,): 0})
    assert found.estimates["rsum"].mean == pytest.approx(-50 / 3)
    assert found.agree == 1


def test_lines_say_what_was_found() -> None:
    text = "\n".join(explain(*known()).lines())
    assert (
        "Undecided between toy · a+b · a and toy · a+b · b: neither is significantly better, nor are they equivalent within "
        in text
    )
    assert "3 RSUM: RSUM -16.67 (95 % interval" in text
    assert "by seed: 0: +0.0, 1: -50.0, 2: +0.0 (1 of 3 have the sign of the mean)" in text
    assert "t2i queries, by median over seeds: A better 50%, worse 0%, same 50%" in text
    assert "A gained most: median retrieval rank in A, in B" in text
    assert "t2i caption 0: 2, 20" in text
    assert "i2t image 1: 30, 3" in text
    assert "Karpathy" in text


def test_the_better_one_is_named_first_whichever_way_it_is_asked() -> None:
    good, bad = row("good", 1.0, draw=1), row("bad", 4.0, draw=2)
    for found in (explain(good, bad), explain(bad, good)):
        assert found.verdict.startswith("toy · a+b · good is significantly better than toy · a+b · bad")
        assert found.agree == 3


def test_which_of_three_answers_holds_and_what_would_decide() -> None:
    def found(b: list[Measured], **evaluate: float) -> Explanation:
        a = row("equal", 3.0, draw=1, spec={"evaluate": evaluate})
        return explain(a, [changed(one, spec=one.record.spec.replace(evaluate=a[0].record.spec.evaluate)) for one in b])

    far, near = row("far", 1.0, draw=2), row("near", 3.0, draw=2)
    assert found(far).answer == Answer(better=True, equivalent=False, margin=3.0, more_seeds=None)
    assert found(far, margin=1000.0).verdict.startswith(
        "toy · a+b · far is significantly better than toy · a+b · equal, by less than "
    )
    same = found(near, margin=200.0)
    assert same.answer == Answer(better=False, equivalent=True, margin=200.0, more_seeds=None)
    assert same.verdict.startswith("toy · a+b · equal and toy · a+b · near are equivalent within 200 RSUM: RSUM ")
    open_ = found(near, margin=8.0)
    assert (open_.answer.better, open_.answer.equivalent) == (False, False)
    assert open_.answer.more_seeds
    assert open_.verdict.startswith(
        "Undecided between toy · a+b · equal and toy · a+b · near: neither is significantly better, "
    )
    assert open_.verdict.endswith(f"; about {open_.answer.more_seeds} more seeds would decide")


def test_the_p_value_shown_is_that_of_the_answer() -> None:
    for draw in range(20):
        found = explain(row("a", 3.0, draw=draw), row("b", 3.15, draw=draw + 50))
        assert (found.estimates["rsum"].p < LEVEL) == found.answer.better


def test_a_raced_pair_with_all_seeds_needs_a_new_race() -> None:
    race = {"race": {"min_seeds": 2, "max_seeds": 3, "looks": 2}}
    ended = explain(row("a", draw=1, spec=race), row("b", draw=2, spec=race))
    assert "; the race has ended at 3 seeds; a new race with a larger max_seeds" in ended.verdict
    assert any(note.startswith("raced: ") for note in ended.notes)
    going = explain(row("a", seeds=[0, 1], draw=1, spec=race), row("b", seeds=[0, 1], draw=2, spec=race))
    assert "the race has ended" not in going.verdict


def test_turning_it_round_turns_the_figures_round() -> None:
    a, b = row("a", 2.0, draw=1), row("b", 2.5, draw=2)
    forth, back = explain(a, b), explain(b, a)
    assert back.by_run == pytest.approx({run: -value for run, value in forth.by_run.items()})
    assert (back.lost[0].of, back.lost[0].index) == (forth.gained[0].of, forth.gained[0].index)
    for direction in ("t2i", "i2t"):
        there, here = (found.shares[direction] for found in (forth, back))
        assert (there.better, there.worse, there.same) == (here.worse, here.better, here.same)
        assert there.better + there.worse + there.same == pytest.approx(1)


def test_rows_that_are_the_same() -> None:
    a, b = row("a", draw=1), row("b", draw=1)
    found = explain(a, b)
    assert (found.gained, found.lost) == ([], [])
    assert {one.p for one in found.estimates.values()} == {1.0}
    assert found.shares["t2i"].same == 1


def test_medians_are_over_the_seeds_both_have() -> None:
    a = [run("a", seed, [1, 1], [rank, 1]) for seed, rank in [(0, 500), (1, 4), (2, 4)]]
    b = [run("b", seed, [1, 1], [2, 1]) for seed in (1, 2, 3)]
    found = explain(a, b)
    assert found.lost[0].a == 4
    assert list(found.by_run) == [(1,), (2,)]
    assert "left out, as only one side has them: seeds 0, 3" in found.notes


def test_a_reference_is_compared_with_every_seed() -> None:
    found = explain(row("teacher", 1.0, seeds=[0], role="reference"), row("a", 3.0, seeds=[5, 6]))
    assert list(found.by_run) == [(5,), (6,)]
    assert not any("left out" in note or "trained for" in note for note in found.notes)


def test_other_splits_and_protocols_are_refused_and_other_budgets_noted() -> None:
    with pytest.raises(KdbenchError, match=r"do not compare: test split \(dataset digest\)"):
        explain(row("a"), row("b", dataset_digest="f" * 64))
    other = row("b", spec={"task": retrieval_spec(1)})
    with pytest.raises(KdbenchError, match=r"task retrieval \(recall_at \[1, 5, 10\]\) and retrieval \(recall_at \[1\]\)"):
        explain(row("a"), other)
    with pytest.raises(KdbenchError, match="do not compare: one is a smoke run"):
        explain(row("a"), row("b", spec={"smoke": True}))
    with pytest.raises(KdbenchError, match="nothing to compare"):
        explain(row("a"), [])
    longer = explain(row("a"), row("b", steps=20, draw=1))
    assert any("2 epochs, 10 steps of 8 samples and 2 epochs, 20 steps" in note for note in longer.notes)


def test_folds_of_a_seed_are_runs_of_their_own() -> None:
    a, b = fold_row("a", 1.0, seeds=(0, 1), draw=1), fold_row("b", 4.0, seeds=(0, 1), draw=2)
    _, units = split_of([*a, *b], fold_units())
    found = explain(a, b, units)
    assert list(found.by_run) == [(seed, fold) for seed in (0, 1) for fold in range(1, FOLDS + 1)]
    # The mean of a fold is that of its own records, to what rounding leaves.
    of_fold = [next(run for run in runs if (run.seed, run.fold) == (1, 2)) for runs in (a, b)]
    alone = [one.record.metrics["rsum"] for one in of_fold]
    assert found.by_run[1, 3] == pytest.approx(alone[0] - alone[1], abs=0.01)
    assert found.runs.startswith("by seed · fold: 0·1: +")
    assert found.runs.endswith(f"({2 * FOLDS} of {2 * FOLDS} have the sign of the mean)")


def test_units_may_be_given() -> None:
    a, b = row("a", draw=1), row("b", draw=2)
    found = explain(a, b, units_of(np.arange(40) // 20, np.arange(80) // 40))
    assert found.notes == []
    assert found.estimates["rsum"].mean == pytest.approx(explain(a, b).estimates["rsum"].mean)
