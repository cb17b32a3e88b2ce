"""Checks that students and teachers are of the form of the datasets, before anything is read or trained."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

from kdbench.contracts import Task
from kdbench.errors import KdbenchError, PluginError, Skip, quoted
from kdbench.plugins.building import build, build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.plugins.parameters import construct, nested_specs
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.model import Suite
from kdbench.suite.yaml_file import YamlPath

Kind = Literal["teacher", "student"]
FORMED = {"students", "teachers"}  # keys of a variant with what has a form; its datasets are those of its suite


def check_forms(suite: Suite, plugins: Plugins, diagnostics: Diagnostics) -> None:
    """Lets the task compare every student and teacher, and those that they hold, with every dataset.

    Datasets that cannot be built are left to their own checks.
    """
    task: Task = construct(plugins.find("task", suite.task.use).offer, suite.task.params)
    with building_with(plugins):
        for spec in suite.datasets:
            try:
                dataset = build_spec("dataset", spec)
            except Exception:  # any exception of the plugin
                continue
            for kind, where, entry in _entries(suite, plugins):
                try:
                    for name, found, expected in task.plugin_misfits(dataset, kind, partial(build, kind, entry)):
                        diagnostics.add((*where, name), found, expected.format(dataset=spec.name))
                except Skip:
                    continue
                except KdbenchError as error:
                    diagnostics.add_error(where, error)
                except Exception as error:  # any exception of the plugin
                    diagnostics.add_error(where, PluginError(f"the {kind} {entry['use']} {quoted(error)}"))


def _entries(suite: Suite, plugins: Plugins) -> Iterator[tuple[Kind, YamlPath, dict[str, Any]]]:
    """Students and teachers as a suite writes them, each before those that its parameters hold."""
    for index, spec in enumerate(suite.students):
        yield from _with_inner("student", ("students", index), {**spec.params, "use": spec.use}, plugins)
    for label, spec in suite.teachers.items():
        yield from _with_inner("teacher", ("teachers", label), {**spec.params, "use": spec.use}, plugins)


def _with_inner(
    kind: Kind, where: YamlPath, entry: dict[str, Any], plugins: Plugins
) -> Iterator[tuple[Kind, YamlPath, dict[str, Any]]]:
    yield kind, where, entry
    for inner in nested_specs(plugins.find(kind, entry["use"]).offer, entry):
        if inner.kind in ("teacher", "student"):
            place: YamlPath = (*where, *inner.path)
            yield from _with_inner(inner.kind, place, {**inner.params, "use": inner.use}, plugins)
