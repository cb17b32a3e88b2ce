"""The stages of a training as a suite lists them: their plugins, and what must fit together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, TypeVar

from kdbench.plugins.loading import Plugins
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.model import Suite, SuiteFile
from kdbench.suite.plugin_entries import plugged, plugged_list
from kdbench.suite.settings import StageSettings, Train
from kdbench.suite.spec import PluginSpec, RunSpec, StageSpec, TermSpec
from kdbench.suite.yaml_file import YamlPath, dotted

T = TypeVar("T")
STAGES: YamlPath = ("train", "stages")


def stage_entries(train: Any) -> list[tuple[YamlPath, dict[str, Any]]]:
    """The entries of `train.stages` that are maps, with their paths; others already have a diagnostic."""
    given = train.get("stages") if isinstance(train, dict) else None
    return [((*STAGES, i), one) for i, one in enumerate(given if isinstance(given, list) else []) if isinstance(one, dict)]


def expand_shorthand(train: Any) -> None:
    """Expands short forms in stages: `strategy: equal` to `strategy: {use: equal}`, and so each term of an objective."""
    for _, stage in stage_entries(train):
        if isinstance(stage.get("strategy"), str):
            stage["strategy"] = {"use": stage["strategy"]}
        if isinstance(stage.get("objective"), list):
            stage["objective"] = [{"use": term} if isinstance(term, str) else term for term in stage["objective"]]


def plugged_stages(train: Any, plugins: Plugins, diagnostics: Diagnostics) -> list[dict[str, Any]]:
    """The objective and the strategy of each stage, checked against their signatures."""
    found = []
    for where, stage in stage_entries(train):
        objective = plugged_list("objective", (*where, "objective"), stage.get("objective"), plugins, diagnostics)
        entry = stage.get("strategy")
        own = plugged("strategy", entry, (*where, "strategy"), plugins, diagnostics) if isinstance(entry, dict) else None
        found.append({"objective": tuple(objective), "strategy": own})
    return found


def stages_of(file: SuiteFile, made: Sequence[dict[str, Any]]) -> list[StageSpec]:
    """The stages of a checked file with what `plugged_stages` made of them."""
    settings = [StageSettings(**stage.model_dump(include=set(StageSettings.model_fields))) for stage in file.train.stages]
    return [StageSpec(settings=own, **plugins) for own, plugins in zip(settings, made, strict=True)]


def trainings(file: SuiteFile) -> list[tuple[YamlPath, Train]]:
    """The settings of each stage with its path, or those of the whole training."""
    stages = [((*STAGES, index), stage.within(file.train)) for index, stage in enumerate(file.train.stages)]
    return stages or [(("train",), file.train)]


def placed_terms(suite: Suite) -> list[tuple[YamlPath, TermSpec]]:
    """All terms of a suite, those of stages included, with their paths."""
    own: list[tuple[YamlPath, TermSpec]] = [(("objective", index), term) for index, term in enumerate(suite.objective)]
    return own + [
        ((*STAGES, index, "objective", place), term)
        for index, stage in enumerate(suite.stages)
        for place, term in enumerate(stage.objective)
    ]


def placed_strategies(suite: Suite) -> list[tuple[YamlPath, PluginSpec]]:
    """All strategies of a suite, those of stages included, with their paths."""
    own: list[tuple[YamlPath, PluginSpec]] = [(("strategies", index), one) for index, one in enumerate(suite.strategies)]
    stages = [((*STAGES, index, "strategy"), stage.strategy) for index, stage in enumerate(suite.stages)]
    return own + [(where, strategy) for where, strategy in stages if strategy]


def weighed_terms(suite: Suite) -> Iterator[tuple[tuple[YamlPath, PluginSpec], tuple[YamlPath, TermSpec]]]:
    """Every strategy beside every term that it meets in some stage, both with their paths."""
    strategies, terms = placed_strategies(suite), placed_terms(suite)
    for stage in [(*STAGES, index) for index in range(len(suite.stages))] or [()]:
        yield from product(_of_stage(strategies, stage), _of_stage(terms, stage))


def _of_stage(placed: list[tuple[YamlPath, T]], stage: YamlPath) -> list[tuple[YamlPath, T]]:
    """What a stage has: its own, or else that of the suite."""
    own = [one for one in placed if stage and one[0][: len(stage)] == stage]
    return own or [one for one in placed if one[0][: len(STAGES)] != STAGES]


def check_stages(file: SuiteFile, diagnostics: Diagnostics) -> None:
    """Checks that there is something to learn from in every stage, and that some stage is the row's own."""
    stages = file.train.stages
    for where, train in trainings(file):
        task = (*where, "task") if len(where) == 1 or stages[int(where[-1])].task is not None else ("train", "task")
        why = f"`{dotted(task)}: 0` leaves nothing else to learn from"
        for index, team in enumerate(file.teams):
            if not team and train.task == 0:
                diagnostics.add(("teams", index), team, f"a team with teachers: {why}")
            if team and train.task == 0 and train.distill == 0:
                diagnostics.add((*where, "distill"), 0, f"above 0: {why}")
    several = any(len(team) > 1 for team in file.teams)
    for key, whose, applies in (("strategy", "strategies", several), ("objective", "objective", any(file.teams))):
        if stages and applies and all(getattr(stage, key) for stage in stages):
            expected = f"a stage without `{key}:`, which has that of the row, from `{whose}:`"
            diagnostics.add(STAGES, f"{key} in every stage", expected)


def in_words(spec: RunSpec) -> str:
    """`three stages: stages of 10 + 5 + 15 = 30 epochs`, for a run with stages; its variant comes first."""
    epochs = [train.epochs for train in spec.trainings]
    return f"{spec.variant}: ".removeprefix(": ") + f"stages of {' + '.join(map(str, epochs))} = {spec.epochs} epochs"
