"""The runs of a suite."""

from __future__ import annotations

from itertools import product

from kdbench.suite.model import Suite
from kdbench.suite.settings import StageSettings
from kdbench.suite.spec import Fold, PluginSpec, RunSpec, StageSpec, TaskDataset


def plan(suite: Suite) -> list[RunSpec]:
    """All runs, seeds outermost, then folds: an interrupted suite has complete comparisons for its finished seeds."""
    variants = suite.variants or {"": suite}
    trained = [
        _with_transfers(_in_fold(_grid(variant, name, seed, suite), fold), suite)
        for seed, fold, (name, variant) in product(suite.seeds, _folds(suite), variants.items())
    ]
    references = [run for fold in _folds(suite) for run in _in_fold(_references(suite), fold)]
    return [*_with_transfers(references, suite), *(run for runs in trained for run in runs)]


def _folds(suite: Suite) -> list[Fold | None]:
    return [Fold(index=index, of=suite.folds) for index in range(suite.folds)] if suite.folds else [None]


def _in_fold(runs: list[RunSpec], fold: Fold | None) -> list[RunSpec]:
    return [run.replace(fold=fold) for run in runs] if fold else runs


def _with_transfers(runs: list[RunSpec], suite: Suite) -> list[RunSpec]:
    """The runs, then those that evaluate their students, or references, on the suite's further datasets."""
    transfers = [
        run.replace(task=one.task, dataset=one.dataset, trained_on=TaskDataset(task=run.task, dataset=run.dataset))
        for run, one in product(runs, suite.also)
        if run.dataset.plain != one.dataset.plain
    ]
    return [*runs, *transfers]


def _references(suite: Suite) -> list[RunSpec]:
    """One run per reference and fold: they involve no randomness."""
    return [
        RunSpec(
            suite=suite.name,
            task=suite.task,
            dataset=dataset,
            student=suite.teachers[name],
            train=None,
            evaluate=suite.evaluate,
            seed=0,
            role="reference",
            smoke=suite.smoke,
        )
        for dataset, name in product(suite.datasets, suite.references)
    ]


def _grid(suite: Suite, variant: str, seed: int, whole: Suite) -> list[RunSpec]:
    """The runs of a suite, or of a variant of the `whole` suite."""
    runs = []
    untaught = suite.train.model_copy(update={"distill": 0.0})
    for dataset, student, team in product(suite.datasets, suite.students, suite.teams):
        strategies: list[PluginSpec | None] = list(suite.strategies) if len(team) > 1 else [None]
        runs += [
            RunSpec(
                suite=suite.name,
                task=suite.task,
                dataset=dataset,
                student=student,
                team=tuple(suite.teachers[name] for name in team),
                strategy=strategy,
                objective=tuple(suite.objective) if team else (),
                train=suite.train if team else untaught,
                evaluate=suite.evaluate,
                seed=seed,
                variant=variant,
                smoke=suite.smoke,
                regime=whole.regimes,
                race=whole.raced,
                stages=tuple(_for_team(stage, team) for stage in suite.stages),
            )
            for strategy in strategies
        ]
    return runs


def _for_team(stage: StageSpec, team: list[str]) -> StageSpec:
    """A stage without what a team has no use for: a strategy with fewer than two teachers, an objective and λ with none."""
    if len(team) > 1:
        return stage
    if team:
        return stage.replace(strategy=None)
    return StageSpec(settings=StageSettings(**stage.settings.model_dump() | {"distill": None}))
