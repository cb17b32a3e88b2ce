"""Checks between the parts of a suite, and between a suite and its datasets."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from kdbench.contracts import SplitName, Task
from kdbench.contracts.task import EVALUATED
from kdbench.errors import KdbenchError, KdbenchWarning, PluginError, nearest, quoted
from kdbench.plugins.building import building_with
from kdbench.plugins.files_read import left_out
from kdbench.plugins.loading import Kind, Plugins, article
from kdbench.plugins.parameters import check_deeper, construct, nested_specs
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.model import Suite, SuiteFile
from kdbench.suite.spec import PluginSpec
from kdbench.suite.stages import STAGES, placed_strategies, placed_terms
from kdbench.suite.yaml_file import YamlPath, path_steps


def check_plugins(suite: Suite, plugins: Plugins, diagnostics: Diagnostics) -> None:
    """Runs every plugin's own check of its parameters."""
    specs: list[tuple[Kind, YamlPath, PluginSpec]] = [
        *(("dataset", ("datasets", i), spec) for i, spec in enumerate(suite.datasets)),
        *(("dataset", ("evaluate", "also", i), one.dataset) for i, one in enumerate(suite.also)),
        *(("student", ("students", i), spec) for i, spec in enumerate(suite.students)),
        *(("teacher", ("teachers", name), spec) for name, spec in suite.teachers.items()),
        *(("objective", where, spec) for where, spec in placed_terms(suite)),
        *(("strategy", where, spec) for where, spec in placed_strategies(suite)),
    ]
    for kind, where, spec in specs:
        check_plugin(kind, spec.use, spec.params, where, plugins, diagnostics)


def check_plugin(
    kind: Kind, use: str, params: dict[str, Any], where: YamlPath, plugins: Plugins, diagnostics: Diagnostics
) -> None:
    """Runs the checks of one plugin and of those nested in it."""
    offer = plugins.find(kind, use).offer
    try:
        with building_with(plugins):
            check_deeper(offer, params)
    except KdbenchError as error:
        diagnostics.add_error(where, error)
    for name, folder in left_out(offer, params):
        message = (
            f"{use}.{name}: {folder} lies around the working folder or is it; records will hold no digest of what is in it, "
            "and a change will not be noticed. Name a folder that holds the data alone, or have the plugin state `Offer.reads`"
        )
        warnings.warn(message, KdbenchWarning, stacklevel=2)
    for inner in nested_specs(offer, params):
        check_plugin(inner.kind, inner.use, inner.params, (*where, *inner.path), plugins, diagnostics)


def check_teams(file: SuiteFile, diagnostics: Diagnostics) -> None:
    for index, team in enumerate(file.teams):
        for at, name in enumerate(team):
            if name not in file.teachers:
                known = ", ".join(file.teachers) or "none is defined"
                diagnostics.add(("teams", index, at), name, f"a key of `teachers:`: {known}", nearest(name, file.teachers))
        if len(set(team)) < len(team):
            diagnostics.add(("teams", index), team, "each teacher once")
        if file.teams.index(team) < index:
            diagnostics.add(("teams", index), team, f"a team not listed yet; it is teams[{file.teams.index(team)}] as well")
        if team and not file.objective:
            diagnostics.add(("teams", index), team, "an `objective:` with at least one term, for a team with teachers")
        if len(team) > 1 and not file.strategies:
            diagnostics.add(("teams", index), team, "at least one entry in `strategies:`, for a team of two or more")
    for index, name in enumerate(file.references):
        if name not in file.teachers:
            known = ", ".join(file.teachers) or "none is defined"
            diagnostics.add(("references", index), name, f"a key of `teachers:`: {known}", nearest(name, file.teachers))
        if file.references.index(name) < index:
            diagnostics.add(("references", index), name, "each teacher once")
    for index, seed in enumerate(file.seeds):
        if file.seeds.index(seed) < index:
            diagnostics.add(("seeds", index), seed, "each seed once")


def check_tasks(suite: Suite, plugins: Plugins, diagnostics: Diagnostics) -> None:
    """Checks that teachers, students and objectives are for the task of the datasets."""
    specs: list[tuple[Kind, YamlPath, PluginSpec]] = [
        *(("student", ("students", i), spec) for i, spec in enumerate(suite.students)),
        *(("teacher", ("teachers", name), spec) for name, spec in suite.teachers.items()),
        *(("objective", where, spec) for where, spec in placed_terms(suite)),
    ]
    for kind, where, spec in specs:
        offer = plugins.find(kind, spec.use).offer
        tasks = (offer.task, *offer.also)
        if suite.task.use not in tasks:
            served = " and ".join(map(repr, tasks))
            diagnostics.add(where, spec.use, f"{article(kind)} for the task {suite.task.use!r}; this one is for {served}")


def check_sizes(suite: Suite, plugins: Plugins, diagnostics: Diagnostics, deep: bool = False) -> None:
    """Checks the indices of every dataset, and that the task's settings and the batch size fit its splits.

    Building a dataset reads only its index. Any exception of a dataset's plugin is a diagnostic with its file and line. With
    `deep`, warns of what a dataset's reader left aside or chose (its `notes`).
    """
    task: Task = construct(plugins.find("task", suite.task.use).offer, suite.task.params)
    if suite.train.views and not task.views:
        diagnostics.add(("train", "views"), "views", f"none: the task {suite.task.use!r} has no augmented views")
    stages = [((*STAGES, index, "loss"), stage.settings.loss) for index, stage in enumerate(suite.stages)]
    for place, loss in [(("train", "loss"), suite.train.loss), *stages]:
        if loss is not None and loss not in task.loss_names:
            known = f"a loss of the task {suite.task.use!r}: {', '.join(task.loss_names)}"
            expected = known if task.loss_names else f"null: the task {suite.task.use!r} has one loss"
            diagnostics.add(place, loss, expected, nearest(loss, task.loss_names))
    folds = _checked_folds(suite, task, diagnostics)
    for index, spec in enumerate(suite.datasets):
        where: YamlPath = ("datasets", index)
        _check_dataset(spec, task, suite.train.batch_size, EVALUATED, where, plugins, diagnostics, deep, folds=folds)
    for index, one in enumerate(suite.also):
        its: Task = construct(plugins.find("task", one.task.use).offer, one.task.params)
        where = ("evaluate", "also", index)
        own = one.task.use == suite.task.use
        _check_dataset(one.dataset, its, None, ("test",), where, plugins, diagnostics, deep, own)


def _checked_folds(suite: Suite, task: Task, diagnostics: Diagnostics) -> int | None:
    """The number of folds, None without or if the suite cannot be cross-validated, with diagnostics."""
    if not suite.folds:
        if suite.race and suite.race.min_seeds < 2:
            diagnostics.add(
                ("race", "min_seeds"), 1, "2 or more without `folds:`, as one seed does not tell the variance of training"
            )
        return None
    refused = {
        f"none: the task {suite.task.use!r} does not deal datasets into folds": not task.folds,
        "none beside `evaluate.also`: there, the students of all folds would be tested on one split": bool(suite.also),
        "none beside `sweep:`: a study would tune on items that other folds test; tune without folds": bool(suite.sweep),
    }
    for expected in (text for text, applies in refused.items() if applies):
        diagnostics.add(("folds",), suite.folds, expected)
    return None if any(refused.values()) else suite.folds


def _check_dataset(
    spec: PluginSpec,
    task: Task,
    batch_size: int | None,
    splits: Sequence[SplitName],
    where: YamlPath,
    plugins: Plugins,
    diagnostics: Diagnostics,
    deep: bool,
    own: bool = True,
    folds: int | None = None,
) -> None:
    """Checks a dataset that is trained on with batches of a size, or of which `splits` are evaluated alone.

    `own`: the task is the suite's, with settings from its `evaluate:`, not another one with its defaults. With `folds`, the
    splits of every fold are checked instead of its own.
    """
    try:
        dataset: object = construct(plugins.find("dataset", spec.use).offer, spec.params)
        label, problems = spec.name, list(task.data_problems(dataset))
        wrong = [] if problems or folds else list(task.misfits(dataset, batch_size, splits))
        for fold in range(folds or 0):
            if problems or wrong:
                break
            label = f"fold {fold + 1}/{folds} of {spec.name}"
            folded = task.folded(dataset, fold, folds or 0)
            problems = list(task.data_problems(folded))
            wrong = [] if problems else list(task.misfits(folded, batch_size, splits))
        notes: tuple[str, ...] = tuple(getattr(dataset, "notes", ())) if deep else ()
    except PluginError:
        raise
    except KdbenchError as error:
        diagnostics.add_error(where, error)
        return
    except Exception as error:  # any exception of the plugin
        diagnostics.add_error(where, PluginError(f"the dataset {spec.name} {quoted(error)}"))
        return
    for what, found, expected in problems:
        diagnostics.add_error(where, PluginError(f"{label}: {what}: found {found}; expected {expected}"))
    for note in notes:
        warnings.warn(f"{spec.name}: {note}", KdbenchWarning, stacklevel=3)
    for path, given, expected in wrong:
        fits = expected.format(dataset=label)
        if own:
            diagnostics.add(path_steps(path), given, fits)
        else:
            diagnostics.add(where, f"{path.removeprefix('evaluate.')}: {given} by default", fits)


def check_also(suite: Suite, plugins: Plugins, diagnostics: Diagnostics) -> None:
    """Checks that students can be evaluated on the further datasets, and that these are others than those trained on."""
    task = type(construct(plugins.find("task", suite.task.use).offer, suite.task.params))
    for index, one in enumerate(suite.also):
        where: YamlPath = ("evaluate", "also", index)
        if not isinstance(construct(plugins.find("task", one.task.use).offer, one.task.params), task):
            expected = f"a dataset for students of the task {suite.task.use!r}; this one is for {one.task.use!r}"
            diagnostics.add(where, one.dataset.use, expected)
        same = [dataset for dataset in suite.datasets if dataset.plain == one.dataset.plain]
        if len(same) == len(suite.datasets):
            diagnostics.add(where, one.dataset.name, "another dataset than the one in `datasets:`")
        elif not same and one.dataset.name in [dataset.name for dataset in suite.datasets]:
            diagnostics.add(where, one.dataset.name, "a unique label", "give each a `name:` of its own")
