"""`train.stages` of a suite: what its rows have of it, its budget, and what is said of stages that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdbench.errors import SuiteError
from kdbench.plugins.loading import Plugins
from kdbench.suite.check import load_suite
from kdbench.suite.plan import plan
from kdbench.suite.stages import in_words

SuiteFile = Callable[..., Path]
STAGES = '[{epochs: 3, strategy: equal}, {lr_scale: {"*": 0.0}, distill: 2.0}, {lr: 0.1, warmup: 0.0, objective: [cosine]}]'


def planned(path: Path, plugins: Plugins, stages: str = STAGES, smoke: bool = False) -> dict[str, Any]:
    """The runs of the first seed by team and strategy."""
    runs = plan(load_suite(path, plugins, [f"train.stages={stages}"], smoke=smoke))
    return {" ".join([*run.teachers, run.strategy.name if run.strategy else ""]): run for run in runs if run.seed == 0}


def test_a_stage_changes_what_it_states(suite_file: SuiteFile, plugins: Plugins) -> None:
    run = planned(suite_file(), plugins)["a b ammkd"]
    first, second, third = run.trainings
    assert [train.epochs for train in run.trainings] == [3, 2, 2]
    assert run.epochs == 7
    assert (first.lr, first.distill, first.lr_scale) == (1e-3, 1.0, {})
    assert (second.lr, second.distill, second.lr_scale) == (1e-3, 2.0, {"*": 0.0})
    assert (third.lr, third.warmup, third.distill) == (0.1, 0.0, 1.0)
    assert [stage.strategy and stage.strategy.use for stage in run.stages] == ["equal", None, None]
    assert [[term.use for term in stage.objective] for stage in run.stages] == [[], [], ["cosine"]]
    assert [term.use for term in run.terms] == ["cosine", "cosine"]
    assert [strategy.use for strategy in run.strategies] == ["ammkd", "equal"]
    assert in_words(run) == "stages of 3 + 2 + 2 = 7 epochs"
    assert in_words(run.replace(variant="staged")) == "staged: stages of 3 + 2 + 2 = 7 epochs"


def test_teams_have_what_they_can_use_and_all_have_the_same_budget(suite_file: SuiteFile, plugins: Plugins) -> None:
    runs = planned(suite_file(), plugins)
    assert {run.epochs for run in runs.values()} == {7}
    assert runs["a "].stages[0].canonical == {"settings": {"epochs": 3}}
    assert [stage.canonical for stage in runs[""].stages] == [
        {"settings": {"epochs": 3}},
        {"settings": {"lr_scale": {"*": 0.0}}},
        {"settings": {"lr": 0.1, "warmup": 0.0}},
    ]


def test_stages_are_part_of_an_id_and_no_stages_are_not(suite_file: SuiteFile, plugins: Plugins) -> None:
    plain, staged, other = (
        planned(suite_file(), plugins, stages)["a b equal"] for stages in ("[]", STAGES, STAGES.replace("3", "4", 1))
    )
    assert plain.stages == ()
    assert len({plain.run_id, staged.run_id, other.run_id}) == 3
    assert "stages" not in plain._cell


def test_a_smoke_run_has_an_epoch_a_stage(suite_file: SuiteFile, plugins: Plugins) -> None:
    run = planned(suite_file(), plugins, smoke=True)["a b equal"]
    assert [train.epochs for train in run.trainings] == [1, 1, 1]
    assert run.trainings[1].lr_scale == {"*": 0.0}


@pytest.mark.parametrize(
    ("stages", "where", "found", "expected"),
    [
        ("[{epochz: 3}]", "train.stages[0].epochz", "'epochz'", "did you mean 'epochs'?"),
        ("[{}, {epochs: 0}]", "train.stages[1].epochs", "0", "greater than or equal to 1"),
        ("[{}, {batch_size: 8}]", "train.stages[1].batch_size", "'batch_size'", "one of distill, epochs, loss"),
        ("[{}, {strategy: eqaul}]", "train.stages[1].strategy.use", "'eqaul'", "did you mean 'equal'?"),
        ("[{}, {strategy: {use: ammkd, c: 1}}]", "train.stages[1].strategy.c", "'c'", "one of C"),
        ("[{}, {objective: [cosin]}]", "train.stages[1].objective[0].use", "'cosin'", "did you mean 'cosine'?"),
        ("[{}, {loss: siglib}]", "train.stages[1].loss", "'siglib'", "did you mean 'siglip'?"),
        ("[{}, {task: 0.0}]", "teams[0]", "[]", "`train.stages[1].task: 0` leaves nothing else"),
        ("[{}, {task: 0.0, distill: 0.0}]", "train.stages[1].distill", "0", "`train.stages[1].task: 0` leaves nothing else"),
        ("[{strategy: equal}]", "train.stages", "'strategy in every stage'", "a stage without `strategy:`"),
        ("[{objective: [cosine]}]", "train.stages", "'objective in every stage'", "a stage without `objective:`"),
        ("{epochs: 3}", "train.stages", "{'epochs': 3}", "a list"),
        ("[3]", "train.stages[0]", "3", ""),
    ],
)
def test_what_is_wrong_names_stage_and_key(
    suite_file: SuiteFile, plugins: Plugins, stages: str, where: str, found: str, expected: str
) -> None:
    with pytest.raises(SuiteError) as raised:
        planned(suite_file(), plugins, stages)
    text = str(raised.value)
    assert f": {where}\n  found     {found}\n" in text
    assert expected in text


def test_stages_of_a_variant(suite_file: SuiteFile, plugins: Plugins) -> None:
    path = suite_file()
    path.write_text(
        path.read_text() + "variants:\n  staged: {train: {stages: [{strategy: equal}, {epochs: 4}]}}\n  plain: {}\n"
    )
    epochs = {run.variant: run.epochs for run in plan(load_suite(path, plugins))}
    assert epochs == {"staged": 6, "plain": 2}
    path.write_text(path.read_text().replace("epochs: 4", "strategy: 5"))
    with pytest.raises(SuiteError, match=r"variants\.staged\.train\.stages\[1\]\.strategy"):
        load_suite(path, plugins)
