"""The runs of a suite."""

from __future__ import annotations

from itertools import product

from kdbench.suite.model import Suite
from kdbench.suite.spec import PluginSpec, RunSpec, TaskDataset


def plan(suite: Suite) -> list[RunSpec]:
    """All runs, with seeds as the outermost loop: an interrupted suite has complete comparisons for its finished seeds."""
    variants = suite.variants or {"": suite}
    trained = [_with_transfers(_grid(variant, name, seed), suite) for seed in suite.seeds for name, variant in variants.items()]
    return [*_with_transfers(_references(suite), suite), *(run for runs in trained for run in runs)]


def _with_transfers(runs: list[RunSpec], suite: Suite) -> list[RunSpec]:
    """The runs, then those that evaluate their students, or references, on the suite's further datasets."""
    transfers = [
        run.replace(task=one.task, dataset=one.dataset, trained_on=TaskDataset(task=run.task, dataset=run.dataset))
        for run, one in product(runs, suite.also)
        if run.dataset.plain != one.dataset.plain
    ]
    return [*runs, *transfers]


def _references(suite: Suite) -> list[RunSpec]:
    """One run per reference: they involve no randomness."""
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


def _grid(suite: Suite, variant: str, seed: int) -> list[RunSpec]:
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
            )
            for strategy in strategies
        ]
    return runs
