"""The task of a suite: named by its datasets, with its settings in the block `evaluate`, beside the core's."""

from __future__ import annotations

from pydantic import ValidationError

from kdbench.contracts import Task
from kdbench.contracts.values import JsonObject
from kdbench.plugins.loading import Plugins
from kdbench.plugins.parameters import checked_params, construct, default_params, params_model
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.model import EvaluateFile
from kdbench.suite.settings import Train
from kdbench.suite.spec import PluginSpec, TaskDataset


def task_of(data: JsonObject, plugins: Plugins, diagnostics: Diagnostics) -> tuple[PluginSpec | None, JsonObject]:
    """The task of the datasets with its settings from `evaluate:`, and the data without these; None if it is invalid.

    Invalid datasets are ignored here; they already have a diagnostic.
    """
    entries = data.get("datasets")
    uses = [entry.get("use") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    offers = plugins.offers("dataset")
    names = [offers[use].offer.task for use in uses if isinstance(use, str) and use in offers]
    for position, name in enumerate(names):
        if name != names[0]:
            diagnostics.add(
                ("datasets", position), name, f"a dataset for the task {names[0]!r} of the first one; a suite has one task"
            )
            return None, data
    given = data.get("evaluate")
    if not names:  # the valid keys of `evaluate:` are then unknown
        if not isinstance(given, dict):
            return None, data
        return None, {**data, "evaluate": {key: value for key, value in given.items() if key in EvaluateFile.model_fields}}
    offer = plugins.find("task", names[0]).offer
    known = params_model(offer).model_fields
    own: JsonObject = {}
    if isinstance(given, dict):
        own = {key: value for key, value in given.items() if key in known}
        rest = {key: value for key, value in given.items() if key not in known}
        for key in [key for key in rest if key not in EvaluateFile.model_fields]:
            if whose := _tasks_with(key, plugins):
                expected = f"a setting of the task {names[0]!r}; in `evaluate.also`, {' and '.join(whose)} has its defaults"
                diagnostics.add(("evaluate", key), rest.pop(key), expected)
        data = {**data, "evaluate": rest}
    try:
        params = checked_params(offer, own)
    except ValidationError as error:
        diagnostics.add_validation(("evaluate",), error, own, known)
        return None, data
    defaults = default_params(offer)
    return PluginSpec(name=names[0], use=names[0], params=params, defaults=defaults, version=offer.version), data


def _tasks_with(setting: str, plugins: Plugins) -> list[str]:
    """The tasks that have a setting of this name."""
    return [repr(name) for name, found in plugins.offers("task").items() if setting in params_model(found.offer).model_fields]


def also_of(datasets: list[PluginSpec], task: PluginSpec, plugins: Plugins) -> list[TaskDataset]:
    """Further datasets with their tasks: that of the suite with its settings, another one with its defaults."""

    def its(dataset: PluginSpec) -> PluginSpec:
        name = plugins.find("dataset", dataset.use).offer.task
        offer = plugins.find("task", name).offer
        defaults = default_params(offer)
        other = PluginSpec(name=name, use=name, params=defaults, defaults=defaults, version=offer.version)
        return task if name == task.use else other

    return [TaskDataset(task=its(dataset), dataset=dataset) for dataset in datasets]


def built_task(task: PluginSpec, plugins: Plugins) -> Task:
    built: Task = construct(plugins.find("task", task.use).offer, task.params)
    return built


def train_of(train: Train, task: PluginSpec, plugins: Plugins) -> Train:
    """The training settings without stages, and without the name of the task's first loss, which is the default: both give the
    same ids."""
    train = Train(**{name: getattr(train, name) for name in Train.model_fields})
    if train.loss is None or train.loss not in built_task(task, plugins).loss_names[:1]:
        return train
    return train.model_copy(update={"loss": None})
