"""Checks that the teachers of a suite's teams, the terms of its objective and its strategies work together."""

from __future__ import annotations

from kdbench.contracts import Task
from kdbench.errors import KdbenchError, PluginError, quoted
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Kind, Plugins
from kdbench.plugins.parameters import construct
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.model import Suite
from kdbench.suite.spec import PluginSpec
from kdbench.suite.stages import placed_strategies, placed_terms, weighed_terms


def check_terms(suite: Suite, plugins: Plugins, diagnostics: Diagnostics) -> None:
    """Checks that teachers of teams have what terms and strategies need, references what evaluation needs, and terms what
    strategies need.

    Plugins that cannot be built are left to their own checks.
    """
    task: Task = construct(plugins.find("task", suite.task.use).offer, suite.task.params)
    with building_with(plugins):
        teachers = {name: _built("teacher", spec) for name, spec in suite.teachers.items()}
        terms = [(where, spec, _built("objective", spec)) for where, spec in placed_terms(suite)]
        strategies = [(where, spec, _built("strategy", spec)) for where, spec in placed_strategies(suite)]
    taught = sorted({name for team in suite.teams for name in team if teachers[name] is not None})
    weighed = sorted({name for team in _weighed(suite) for name in team if teachers[name] is not None})
    if suite.train.views and suite.train.views.teachers == "same":
        for name in (name for name in taught if getattr(teachers[name], "plain", False)):
            expected = f"clean: the teacher {name} has no embeddings of augmented views"
            diagnostics.add(("train", "views", "teachers"), "same", expected)
    for where, spec, term in terms:
        for name in taught if term is not None else []:
            if lacking := task.refuses(teachers[name], term):
                expected = f"a term that does not need {lacking}, which the teacher {name} lacks"
                diagnostics.add(where, spec.use, expected)
    for where, entry, strategy in strategies:
        for name in weighed if not getattr(strategy, "one_tower", True) else []:
            if lacking := task.refuses(teachers[name], strategy):
                expected = f"a strategy that does not need {lacking}, which the teacher {name} lacks"
                diagnostics.add(where, entry.use, expected)
    weighing = strategies if _weighed(suite) and task.compares else []
    fusing = {where for where, _, strategy in weighing if getattr(strategy, "per_pair", False)}
    built = {where: term for where, _, term in terms}
    for (where, entry), (place, spec) in weighed_terms(suite):
        if where in fusing and built[place] is not None and not hasattr(built[place], "fused_losses"):
            diagnostics.add(where, entry.use, f"a strategy that does not weigh pairs: the term {spec.use} cannot fuse logits")
    for index, name in enumerate(suite.references):
        if teachers[name] is not None and (lacking := task.refuses(teachers[name], None)):
            diagnostics.add(("references", index), name, f"a teacher that can be evaluated itself; {name} lacks {lacking}")


def check_weighting(suite: Suite, plugins: Plugins, diagnostics: Diagnostics) -> None:
    """Lets every strategy with a method `check_teams` compare its parameters with the teams and the datasets.

    A smoke run has other datasets than the suite. Plugins that cannot be built are left to their own checks.
    """
    teams = _weighed(suite)
    with building_with(plugins):
        for where, spec in placed_strategies(suite):
            strategy = _built("strategy", spec)
            if not teams or not hasattr(strategy, "check_teams"):
                continue
            try:
                for dataset in [None] if suite.smoke else filter(None, [_built("dataset", one) for one in suite.datasets]):
                    strategy.check_teams(teams, dataset)
            except KdbenchError as error:
                diagnostics.add_error(where, error)
            except Exception as error:  # any exception of the plugin
                diagnostics.add_error(where, PluginError(f"the strategy {spec.name} {quoted(error)}"))


def _weighed(suite: Suite) -> list[list[str]]:
    """The teams that need a strategy."""
    return [team for team in suite.teams if len(team) > 1]


def _built(kind: Kind, spec: PluginSpec) -> object:
    """A plugin that is not prepared; None if it cannot be built."""
    try:
        return build_spec(kind, spec)
    except Exception:  # any exception of the plugin
        return None
