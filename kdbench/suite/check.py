"""A suite file and overrides in, a checked Suite out; nothing is downloaded, decoded or trained on the way."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kdbench.contracts import Task
from kdbench.errors import nearest
from kdbench.plugins.loading import Kind, Plugins, article
from kdbench.plugins.parameters import checked_params, construct, default_params, nested_uses, params_model
from kdbench.suite.consistency import check_plugin, check_plugins, check_sizes, check_tasks, check_teams
from kdbench.suite.diagnostics import NOTHING, Diagnostics
from kdbench.suite.model import Suite, SuiteFile
from kdbench.suite.settings import Evaluate
from kdbench.suite.smoke import smoked
from kdbench.suite.source import SuiteSource, read_suite
from kdbench.suite.spec import PluginSpec, TermSpec
from kdbench.suite.sweep import SweepFile
from kdbench.suite.sweep_space import check_labels, checked_sweep
from kdbench.suite.yaml_file import YamlPath

LISTS: dict[str, Kind] = {
    "datasets": "dataset",
    "students": "student",
    "strategies": "strategy",
    "objective": "objective",
}


def load_suite(
    path: Path, plugins: Plugins, overrides: list[str] | None = None, deep: bool = False, smoke: bool = False
) -> Suite:
    """Reads and checks a suite; see `check_suite`."""
    return check_suite(read_suite(path, overrides), plugins, deep, smoke)


def check_suite(source: SuiteSource, plugins: Plugins, deep: bool = False, smoke: bool = False) -> Suite:
    """Raises SuiteError with every problem found, in the order of the file.

    With `deep`, plugins check their parameters themselves as well, which may take seconds (torch may be imported) and
    finds what only their own code can: a model name that does not exist, a package that is missing. With `smoke` the suite is
    made small (see `kdbench.suite.smoke`) before anything looks for data.
    """
    path = source.path
    data, diagnostics = source.parts()
    _expand_shorthand(data)
    suite = _checked(path, data, plugins, diagnostics, deep, smoke)
    if suite is None:
        diagnostics.raise_if_any()
    assert suite is not None
    variants: dict[str, Suite] = {}
    for name, changes in _variants(data).items():
        with diagnostics.within(("variants", name), changes):
            variant = _checked(path, _varied(data, changes), plugins, diagnostics, deep, smoke)
        variants |= {name: variant} if variant else {}
    check_labels(data.get("sweep"), [suite, *variants.values()], diagnostics)
    diagnostics.raise_if_any()
    return suite.model_copy(update={"variants": variants}) if variants else suite


def plug(kind: Kind, entry: dict[str, Any], source: str, plugins: Plugins) -> PluginSpec:
    """One plugin as a suite would use it, given elsewhere, say on the command line. Raises SuiteError."""
    diagnostics = Diagnostics(source, {})
    found = _plugged(kind, entry, (), plugins, diagnostics)
    diagnostics.raise_if_any()
    assert found is not None
    return found


def _variants(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The variants of a suite that are maps; that others are none has been noted."""
    given = data.get("variants")
    return {name: one for name, one in given.items() if isinstance(one, dict)} if isinstance(given, dict) else {}


def _varied(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The suite with a variant's blocks in place of its own: lists replaced, maps merged."""
    own = {key: value for key, value in data.items() if key != "variants"}
    merged = {
        key: {**own[key], **value} if isinstance(value, dict) and isinstance(own.get(key), dict) else value
        for key, value in changes.items()
    }
    return own | merged


def _checked(
    path: Path, data: dict[str, Any], plugins: Plugins, diagnostics: Diagnostics, deep: bool, smoke: bool
) -> Suite | None:
    """The suite as far as it is right; None where something is wrong, which is then noted."""
    before = len(diagnostics.found)
    task, data = _task(data, plugins, diagnostics)
    file = _validated(data, task, diagnostics)
    plugged = {key: _plugged_list(key, data.get(key), plugins, diagnostics) for key in LISTS}
    given = data.get("teachers")
    teachers = {
        name: _plugged("teacher", entry, ("teachers", name), plugins, diagnostics, label=name)
        for name, entry in (given.items() if isinstance(given, dict) else ())
        if isinstance(entry, dict)
    }
    if file is not None:
        check_teams(file, diagnostics)
    if file is None or task is None or len(diagnostics.found) > before:
        return None
    suite = Suite(
        path=path,
        name=file.name,
        task=task,
        seeds=file.seeds,
        datasets=plugged["datasets"],
        students=plugged["students"],
        teachers={name: teacher for name, teacher in teachers.items() if teacher},
        teams=file.teams,
        references=file.references,
        strategies=plugged["strategies"],
        objective=[term for term in plugged["objective"] if isinstance(term, TermSpec)],
        train=file.train,
        evaluate=file.evaluate,
        latency=file.latency,
    )
    if file.sweep:

        def again(kind: Kind, entry: dict[str, Any], apart: Diagnostics) -> PluginSpec | None:
            found = _plugged(kind, entry, (), plugins, apart)
            if found and deep:
                check_plugin(kind, found.use, found.params, (), plugins, apart)
            return found

        suite = suite.model_copy(update={"sweep": checked_sweep(file.sweep, suite, _built(task, plugins), again, diagnostics)})
    check_tasks(suite, plugins, diagnostics)
    if smoke:
        suite = smoked(suite, plugins)
    check_sizes(suite, plugins, diagnostics)
    if deep:
        check_plugins(suite, plugins, diagnostics)
    return suite


def _task(data: dict[str, Any], plugins: Plugins, diagnostics: Diagnostics) -> tuple[PluginSpec | None, dict[str, Any]]:
    """The task that the datasets pose, with what `evaluate:` says of it, and the data without that. None where it is wrong.

    Datasets that are wrong themselves have no say; with none left the suite is wrong anyway.
    """
    entries = data.get("datasets")
    uses = [entry.get("use") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    offers = plugins.offers("dataset")
    names = [offers[use].offer.task for use in uses if isinstance(use, str) and use in offers]
    for place, name in enumerate(names):
        if name != names[0]:
            diagnostics.add(
                ("datasets", place), name, f"a dataset of the task {names[0]!r}, as the first; one suite has one task"
            )
            return None, data
    given = data.get("evaluate")
    if not names:  # what `evaluate:` may hold beside the core's keys is then not known
        core = (
            {key: value for key, value in given.items() if key in Evaluate.model_fields} if isinstance(given, dict) else given
        )
        return None, {**data, "evaluate": core} if isinstance(given, dict) else data
    offer = plugins.find("task", names[0]).offer
    known = params_model(offer).model_fields
    own: dict[str, Any] = {}
    if isinstance(given, dict):
        own = {key: value for key, value in given.items() if key in known}
        data = {**data, "evaluate": {key: value for key, value in given.items() if key not in known}}
    try:
        params = checked_params(offer, own)
    except ValidationError as error:
        diagnostics.add_validation(("evaluate",), error, own, known)
        return None, data
    defaults = default_params(offer)
    return PluginSpec(name=names[0], use=names[0], params=params, defaults=defaults, version=offer.version), data


def _built(task: PluginSpec, plugins: Plugins) -> Task:
    built: Task = construct(plugins.find("task", task.use).offer, task.params)
    return built


def _validated(data: dict[str, Any], task: PluginSpec | None, diagnostics: Diagnostics) -> SuiteFile | None:
    try:
        return SuiteFile.model_validate(data)
    except ValidationError as error:
        blocks: dict[YamlPath, Any] = {(): SuiteFile.model_fields}  # whose keys a message lists
        for name in ("train", "evaluate", "latency"):
            blocks[(name,)] = type(SuiteFile.model_fields[name].default).model_fields
        blocks[("sweep",)] = SweepFile.model_fields
        for item in error.errors():
            parent, key = tuple(item["loc"][:-1]), item["loc"][-1]
            if item["type"] == "extra_forbidden" and parent in blocks:
                known = sorted({*blocks[parent], *(task.params if task and parent == ("evaluate",) else ())})
                diagnostics.add(item["loc"], key, f"one of {', '.join(known)}", nearest(key, known))
            else:
                line: Any = {name: item.get(name, {}) for name in ("type", "loc", "input", "ctx")}
                diagnostics.add_validation((), ValidationError.from_exception_data(error.title, [line]), data)
        return None


def _expand_shorthand(data: dict[str, Any]) -> None:
    """`- equal` stands for `- use: equal`, in variants too, and `pruner: none` for `pruner: {use: none}`."""
    for changes in _variants(data).values():
        _expand_shorthand(changes)
    for key in LISTS:
        if isinstance(data.get(key), list):
            data[key] = [{"use": entry} if isinstance(entry, str) else entry for entry in data[key]]
    sweep = data.get("sweep")
    if isinstance(sweep, dict) and isinstance(sweep.get("pruner"), str):
        sweep["pruner"] = {"use": sweep["pruner"]}
    teachers = data.get("teachers")
    if isinstance(teachers, dict):
        data["teachers"] = {k: {"use": v} if isinstance(v, str) else v for k, v in teachers.items()}


def _plugged_list(key: str, entries: Any, plugins: Plugins, diagnostics: Diagnostics) -> list[Any]:
    """The entries of a list that are maps, checked; that the others are none has been noted."""
    places = [i for i, entry in enumerate(entries if isinstance(entries, list) else []) if isinstance(entry, dict)]
    found = {i: _plugged(LISTS[key], entries[i], (key, i), plugins, diagnostics) for i in places}
    seen: Counter[str] = Counter()
    for index, entry in found.items():
        if entry is None or key == "objective":
            continue
        if seen[entry.name]:
            diagnostics.add((key, index), entry.name, "a label used once", "give each a `name:` of its own")
        seen[entry.name] += 1
    return [entry for entry in found.values() if entry]


def _plugged(
    kind: Kind, entry: dict[str, Any], where: YamlPath, plugins: Plugins, diagnostics: Diagnostics, label: str | None = None
) -> PluginSpec | None:
    """One entry, its parameters checked against the plugin's signature; None where it is wrong, which is then noted."""
    params = dict(entry)
    use = params.pop("use", None)
    a_kind = article(kind)
    offers = plugins.offers(kind)
    known = ", ".join(offers) or "none is installed"
    if not isinstance(use, str):
        diagnostics.add((*where, "use"), NOTHING if use is None else use, f"`use:` with {a_kind}: {known}")
        return None
    name = label or params.pop("name", use)
    if not isinstance(name, str):
        diagnostics.add((*where, "name"), name, "a string")
        return None
    coefficient = params.pop("coefficient", 1.0) if kind == "objective" else None
    number = isinstance(coefficient, int | float) and not isinstance(coefficient, bool) and math.isfinite(coefficient)
    if kind == "objective" and not number:
        diagnostics.add((*where, "coefficient"), coefficient, "a finite number")
        return None
    if use not in offers:
        diagnostics.add((*where, "use"), use, f"{a_kind}: {known}", nearest(use, offers))
        diagnostics.note = plugins.broken_note().strip("\n")
        return None
    found = _params(kind, use, params, where, plugins, diagnostics)
    if found is None:
        return None
    values, defaults = found
    version = plugins.find(kind, use).offer.version
    if coefficient is not None:
        weight = float(coefficient)
        return TermSpec(name=name, use=use, params=values, defaults=defaults, version=version, coefficient=weight)
    return PluginSpec(name=name, use=use, params=values, defaults=defaults, version=version)


def _params(
    kind: Kind, use: str, params: dict[str, Any], where: YamlPath, plugins: Plugins, diagnostics: Diagnostics
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """All parameters, and the defaults of those that have one; those that hold another plugin's spec are checked in turn."""
    offer = plugins.find(kind, use).offer
    try:
        values = checked_params(offer, params)
    except ValidationError as error:
        diagnostics.add_validation(where, error, params, params_model(offer).model_fields)
        return None
    defaults = default_params(offer)
    for name, mark in nested_uses(offer).items():
        inner = _plugged(mark.kind, values[name], (*where, name), plugins, diagnostics)
        if inner is None:
            return None
        values[name] = {"use": inner.use, **inner.params}
        defaults |= {f"{name}.{path}": value for path, value in inner.defaults.items()}
    return values, defaults
