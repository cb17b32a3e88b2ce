"""Parameters of a run by path: `train.lr`, `objective[0].coefficient`, `strategy.C`, `student.width`."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from kdbench.suite.settings import Train
from kdbench.suite.spec import PluginSpec, RunSpec, TermSpec
from kdbench.suite.yaml_file import path_steps


def with_values(spec: RunSpec, values: Mapping[str, Any]) -> RunSpec:
    """A copy of the run with the parameters at some paths set.

    Raises KeyError, IndexError, TypeError or ValueError if a path does not exist or a value does not fit.
    """
    for path, value in values.items():
        head, *rest = path_steps(path)
        if head == "train":
            if spec.train is None or rest[0] not in Train.model_fields:
                raise KeyError(path)
            train = Train.model_validate(spec.train.model_dump() | {str(rest[0]): value})
            spec = spec.replace(train=train)
        elif head == "objective":
            position = int(rest[0])
            terms = list(spec.objective)
            terms[position] = _with_value(terms[position], rest[1:], value)
            spec = spec.replace(objective=tuple(terms))
        else:
            plugin = getattr(spec, str(head), None)
            if not isinstance(plugin, PluginSpec):
                raise KeyError(path)
            spec = spec.replace(**{str(head): _with_value(plugin, rest, value)})
    return spec


def value_at(spec: RunSpec, path: str) -> Any:
    """The parameter at a path. Raises as `with_values` does."""
    head, *rest = path_steps(path)
    if head == "train":
        if spec.train is None or rest[0] not in Train.model_fields:
            raise KeyError(path)
        return getattr(spec.train, str(rest[0]))
    plugin = spec.objective[int(rest.pop(0))] if head == "objective" else getattr(spec, str(head), None)
    if not isinstance(plugin, PluginSpec):
        raise KeyError(path)
    if isinstance(plugin, TermSpec) and rest == ["coefficient"]:
        return plugin.coefficient
    value: Any = plugin.params
    for step in rest:
        value = value[step]
    return value


def same_but_for(one: RunSpec, other: RunSpec, paths: list[str]) -> bool:
    """Whether two runs differ only in the parameters at these paths, their tuning and their seed."""
    moved = with_values(one, {path: value_at(other, path) for path in paths})
    return moved.replace(tuning=None).cell_id == other.replace(tuning=None).cell_id


def _with_value(plugin: PluginSpec, steps: list[str | int], value: Any) -> Any:
    if isinstance(plugin, TermSpec) and steps == ["coefficient"]:
        return plugin.replace(coefficient=value)
    params = deepcopy(plugin.params)
    holder: Any = params
    for step in steps[:-1]:
        holder = holder[step]
    if steps[-1] not in holder if isinstance(holder, dict) else not isinstance(holder, list):
        raise KeyError(".".join(map(str, steps)))
    holder[steps[-1]] = value
    return plugin.replace(params=params)
