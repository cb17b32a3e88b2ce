"""What rows of one table differ in is shown: no two rows look alike that were run otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.errors import KdbenchError
from kdbench.reports import build, render
from kdbench.reports.differences import differences, in_words, note, variants
from kdbench.reports.find_rows import find_pair
from kdbench.suite.settings import StageSettings, Views
from kdbench.suite.spec import RunSpec, StageSpec, Tuning
from tests.conftest import literal_spec
from tests.support.rankings import row
from tests.support.toys import plugged

TRAINING: dict[str, st.SearchStrategy[Any]] = {
    "lr": st.sampled_from([1e-3, 1e-2]),
    "weight_decay": st.sampled_from([0.0, 0.1]),
    "warmup": st.sampled_from([0.1, 0.2]),
    "clip_norm": st.sampled_from([1.0, 2.0]),
    "distill": st.sampled_from([0.5, 1.0]),
    "precision": st.sampled_from(["fp32", "bf16"]),
    "views": st.sampled_from([None, Views(), Views(count=4, crop=[0.7, 1.0])]),
    "lr_scale": st.sampled_from([{}, {"visual.*": 0.0}]),
}


@st.composite
def specs(draw: st.DrawFn) -> RunSpec:
    """Specs of one protocol whose names may be equal."""
    one = literal_spec()
    assert one.train is not None
    assert one.strategy is not None
    train = one.train.model_copy(update={name: draw(values) for name, values in TRAINING.items()})
    power, focal, T = (draw(st.sampled_from([1.0, 2.0])) for _ in range(3))
    return one.replace(
        train=train,
        team=(one.team[0].replace(params={"focal": focal}), one.team[1]),
        strategy=one.strategy.replace(params={"T": T}),
        objective=(one.objective[0].replace(params={"power": power}),),
        evaluate=one.evaluate.model_copy(update={"every": draw(st.sampled_from([1, 2]))}),
    )


@settings(max_examples=100)
@given(st.lists(specs(), min_size=2, max_size=5, unique_by=lambda spec: spec.cell_id))
def test_rows_of_one_name_differ_in_what_is_shown(found: list[RunSpec]) -> None:
    shown = differences(found, ["equal of a + b"] * len(found))
    assert len({in_words(settings) for settings in shown}) == len(found)


@settings(max_examples=100)
@given(st.lists(specs(), min_size=2, max_size=5))
def test_training_settings_are_shown_exactly_where_they_vary(found: list[RunSpec]) -> None:
    """Also in rows whose names differ: one may have been tuned by hand."""
    shown = differences(found, [str(index) for index in range(len(found))])
    for name in TRAINING:
        varies = len({repr(getattr(spec.train, name)) for spec in found}) > 1
        assert all((f"train.{name}" in settings) == varies for settings in shown)
        assert (f"train.{name} (" in note(shown)) == varies


def test_what_has_no_effect_or_is_named_otherwise_is_not_shown() -> None:
    one = literal_spec()
    assert one.train is not None
    plain = one.replace(team=(), strategy=None, objective=())
    other = one.train.model_copy(update={"distill": 2.0, "devices": 2, "checkpoint_every": 5})
    assert differences([one, plain.replace(train=other)], ["a", "b"]) == [{}, {}]  # without teachers, nothing is distilled
    hot = one.replace(variant="hot", train=one.train.model_copy(update={"lr": 0.5}))
    assert differences([one, hot], ["a", "hot: a"]) == [{}, {}]  # its variant names it, and a note says what that is
    assert variants([one, hot]) == "variants differ in their settings: rows without one (train.lr=0.001); hot (train.lr=0.5)"
    assert variants([one, one]) == variants([hot, hot]) == ""
    large = one.replace(variant="large", train=one.train.model_copy(update={"weight_decay": 0.5}))
    assert variants([one, hot, large]) == (
        "variants differ in their settings: hot (train.lr=0.5); large (train.weight_decay=0.5); "
        f"otherwise train.lr=0.001, train.weight_decay={one.train.weight_decay:g}"
    )
    tuned = [
        one.replace(tuning=Tuning(split="validation", trials=3, metric="rsum"), train=one.train.model_copy(update={"lr": lr}))
        for lr in (0.1, 0.2)
    ]
    assert differences(tuned, ["a", "b"]) == [{}, {}]  # found by as many trials each


@pytest.mark.parametrize(
    "within", [{}, {"variant": "hot"}, {"variant": "alike", "regime": True}], ids=["", "variant", "regime"]
)
def test_one_row_that_was_run_otherwise_is_named_after_it(within: dict[str, Any]) -> None:
    """In a variant, which all its rows share, in a regime, and without: settings, teachers and weightings of one label."""
    one = literal_spec().replace(**within)
    assert one.train is not None
    assert one.strategy is not None
    theirs = one.replace(team=(one.team[0], one.team[1].replace(name="c")))
    changed: dict[str, dict[str, Any]] = {
        "train.lr": {"train": one.train.model_copy(update={"lr": 0.5})},
        "train.distill": {"train": one.train.model_copy(update={"distill": 2.0})},
        "objective": {"objective": (one.objective[0].replace(coefficient=2.0),)},
        f"teachers.{one.team[0].name}.use": {"team": (one.team[0].replace(use="better"), theirs.team[1])},
        f"strategy {one.strategy.name}.T": {"strategy": one.strategy.replace(params={"T": 9.0})},
    }
    one = one.replace(strategy=one.strategy.replace(params={"T": 1.0}))
    for path, change in changed.items():
        fine, ours = differences([one, theirs.replace(strategy=one.strategy).replace(**change)], ["theirs", "ours"])
        assert list(fine) == list(ours) == [path]
        assert fine[path] != ours[path]


def test_stages_are_shown_where_they_vary_and_have_an_effect() -> None:
    one = literal_spec()
    stage = StageSpec(settings=StageSettings(epochs=2, distill=2.0), strategy=one.strategy)
    staged = one.replace(stages=(stage, StageSpec()))
    alone = one.replace(team=(), strategy=None, objective=(), stages=(StageSpec(settings=StageSettings(epochs=2)), StageSpec()))
    assert differences([staged, alone], ["a", "b"]) == [{}, {}]
    longer = staged.replace(stages=(stage.replace(settings=StageSettings(epochs=3, distill=2.0)), StageSpec()))
    assert [shown["train.stages.epochs"] for shown in differences([staged, longer], ["a", "b"])] == ["[2, null]", "[3, null]"]


def test_a_leaderboard_shows_two_learning_rates() -> None:
    """In a column, in the rows' names and in a note that says what choosing between them would be."""
    slow, fast = ({"train": {"epochs": 2, "batch_size": 8, "lr": lr}} for lr in (0.001, 0.01))
    board = build([*row("equal", spec=slow), *row("equal", draw=1, spec=fast)])
    (table,) = board.tables
    assert sorted(one.name for one in table.rows) == ["equal of a + b (train.lr=0.001)", "equal of a + b (train.lr=0.01)"]
    text = render(board)
    assert "settings" in text
    assert "train.lr=0.01" in text
    assert "rows differ in train.lr (0.001, 0.01): choosing between them by these figures is tuning on the test split" in text


def test_a_leaderboard_says_what_a_variant_changes() -> None:
    board = build(
        [*row("equal"), *row("equal", draw=1, spec={"variant": "ours", "train": {"epochs": 2, "batch_size": 8, "lr": 0.01}})]
    )
    (table,) = board.tables
    assert "variants differ in their settings: rows without one (train.lr=0.001); ours (train.lr=0.01)" in table.notes


def test_a_name_without_its_settings_fits_all_that_have_it() -> None:
    slow, fast = ({"train": {"epochs": 2, "batch_size": 8, "lr": lr}} for lr in (0.001, 0.01))
    board = build([*row("equal", spec=slow), *row("equal", draw=1, spec=fast), *row("ammkd", draw=2, spec=fast)])
    one, _ = find_pair(board, "equal of a + b (train.lr=0.01)", "ammkd")
    assert one.settings == {"train.lr": "0.01"}
    with pytest.raises(KdbenchError, match=r"by their ids, or in full, as in .*:(.|\n)*train\.lr=0\.001"):
        find_pair(board, "equal of a + b", "ammkd")


def test_one_content_under_two_labels_is_one_table() -> None:
    """Its digest is what is compared; its labels are told."""
    board = build([*row("equal"), *row("b", draw=1, spec={"dataset": plugged("beads", "rings")})])
    (table,) = board.tables
    assert "beads and rings are one dataset: equal pictures, captions and concepts" in table.notes
