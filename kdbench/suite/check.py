"""A suite file and overrides in, a checked Suite out; nothing is downloaded, decoded or trained on the way."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kdbench.errors import SuiteError, nearest
from kdbench.plugins.loading import Kind, Plugins
from kdbench.plugins.parameters import checked_params, nested_uses, params_model
from kdbench.suite.consistency import check_plugin, check_plugins, check_sizes, check_teams
from kdbench.suite.diagnostics import NOTHING, Problems
from kdbench.suite.model import Plugged, Suite, SuiteFile, Term
from kdbench.suite.overrides import apply_override
from kdbench.suite.smoke import smoked
from kdbench.suite.sweep import SweepFile
from kdbench.suite.sweep_space import check_labels, checked_sweep
from kdbench.suite.yaml_file import Where, read

LISTS: dict[str, Kind] = {
    "datasets": "dataset",
    "students": "student",
    "strategies": "strategy",
    "objective": "objective",
}


def load_suite(
    path: Path, plugins: Plugins, overrides: list[str] | None = None, deep: bool = False, smoke: bool = False
) -> Suite:
    """Raises SuiteError with every problem found, in the order of the file.

    With `deep`, plugins check their parameters themselves as well, which may take seconds (torch may be imported) and
    finds what only their own code can: a model name that does not exist, a package that is missing. With `smoke` the suite is
    made small (see `kdbench.suite.smoke`) before anything looks for data.
    """
    data, lines = read(path)
    if not isinstance(data, dict):
        found = "an empty file" if data is None else f"a {'list' if isinstance(data, list) else 'single value'}"
        raise SuiteError(f"{path}:1: found {found}, expected a map with the keys of a suite (name, datasets, students, …)")
    problems = Problems(str(path), lines)
    for override in overrides or []:
        apply_override(data, override, problems)
    _expand_shorthand(data)
    suite = _checked(path, data, plugins, problems, deep, smoke)
    if suite is None:
        problems.raise_if_any()
    assert suite is not None
    variants: dict[str, Suite] = {}
    for name, changes in _variants(data).items():
        with problems.within(("variants", name), changes):
            variant = _checked(path, _varied(data, changes), plugins, problems, deep, smoke)
        variants |= {name: variant} if variant else {}
    check_labels(data.get("sweep"), [suite, *variants.values()], problems)
    problems.raise_if_any()
    return suite.model_copy(update={"variants": variants}) if variants else suite


def plug(kind: Kind, entry: dict[str, Any], source: str, plugins: Plugins) -> Plugged:
    """One plugin as a suite would use it, given elsewhere, say on the command line. Raises SuiteError."""
    problems = Problems(source, {})
    found = _plugged(kind, entry, (), plugins, problems)
    problems.raise_if_any()
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


def _checked(path: Path, data: dict[str, Any], plugins: Plugins, problems: Problems, deep: bool, smoke: bool) -> Suite | None:
    """The suite as far as it is right; None where something is wrong, which is then noted."""
    before = len(problems.found)
    file = _validated(data, problems)
    plugged = {key: _plugged_list(key, data.get(key), plugins, problems) for key in LISTS}
    given = data.get("teachers")
    teachers = {
        name: _plugged("teacher", entry, ("teachers", name), plugins, problems, label=name)
        for name, entry in (given.items() if isinstance(given, dict) else ())
        if isinstance(entry, dict)
    }
    if file is not None:
        check_teams(file, problems)
    if file is None or len(problems.found) > before:
        return None
    suite = Suite(
        path=path,
        name=file.name,
        seeds=file.seeds,
        datasets=plugged["datasets"],
        students=plugged["students"],
        teachers={name: teacher for name, teacher in teachers.items() if teacher},
        teams=file.teams,
        references=file.references,
        strategies=plugged["strategies"],
        objective=[term for term in plugged["objective"] if isinstance(term, Term)],
        train=file.train,
        evaluate=file.evaluate,
        latency=file.latency,
    )
    if file.sweep:

        def again(kind: Kind, entry: dict[str, Any], apart: Problems) -> Plugged | None:
            found = _plugged(kind, entry, (), plugins, apart)
            if found and deep:
                check_plugin(kind, found.use, found.params, (), plugins, apart)
            return found

        suite = suite.model_copy(update={"sweep": checked_sweep(file.sweep, suite, again, problems)})
    if smoke:
        suite = smoked(suite, plugins)
    check_sizes(suite, plugins, problems)
    if deep:
        check_plugins(suite, plugins, problems)
    return suite


def _validated(data: dict[str, Any], problems: Problems) -> SuiteFile | None:
    try:
        return SuiteFile.model_validate(data)
    except ValidationError as error:
        blocks: dict[Where, Any] = {(): SuiteFile.model_fields}
        for name in ("train", "evaluate", "latency"):
            blocks[(name,)] = type(SuiteFile.model_fields[name].default).model_fields
        blocks[("sweep",)] = SweepFile.model_fields
        for item in error.errors():
            parent, key = tuple(item["loc"][:-1]), item["loc"][-1]
            if item["type"] == "extra_forbidden" and parent in blocks:
                known = sorted(blocks[parent])
                problems.add(item["loc"], key, f"one of {', '.join(known)}", nearest(key, known))
            else:
                line: Any = {name: item.get(name, {}) for name in ("type", "loc", "input", "ctx")}
                problems.add_validation((), ValidationError.from_exception_data(error.title, [line]), data)
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


def _plugged_list(key: str, entries: Any, plugins: Plugins, problems: Problems) -> list[Any]:
    """The entries of a list that are maps, checked; that the others are none has been noted."""
    places = [i for i, entry in enumerate(entries if isinstance(entries, list) else []) if isinstance(entry, dict)]
    found = {i: _plugged(LISTS[key], entries[i], (key, i), plugins, problems) for i in places}
    seen: Counter[str] = Counter()
    for index, entry in found.items():
        if entry is None or key == "objective":
            continue
        if seen[entry.name]:
            problems.add((key, index), entry.name, "a label used once", "give each a `name:` of its own")
        seen[entry.name] += 1
    return [entry for entry in found.values() if entry]


def _plugged(
    kind: Kind, entry: dict[str, Any], where: Where, plugins: Plugins, problems: Problems, label: str | None = None
) -> Plugged | None:
    """One entry, its parameters checked against the plugin's signature; None where it is wrong, which is then noted."""
    params = dict(entry)
    use = params.pop("use", None)
    a_kind = f"{'an' if kind == 'objective' else 'a'} {kind}"
    offers = plugins.offers(kind)
    known = ", ".join(offers) or "none is installed"
    if not isinstance(use, str):
        problems.add((*where, "use"), NOTHING if use is None else use, f"`use:` with {a_kind}: {known}")
        return None
    name = label or params.pop("name", use)
    if not isinstance(name, str):
        problems.add((*where, "name"), name, "a string")
        return None
    coefficient = params.pop("coefficient", 1.0) if kind == "objective" else None
    number = isinstance(coefficient, int | float) and not isinstance(coefficient, bool) and math.isfinite(coefficient)
    if kind == "objective" and not number:
        problems.add((*where, "coefficient"), coefficient, "a finite number")
        return None
    if use not in offers:
        problems.add((*where, "use"), use, f"{a_kind}: {known}", nearest(use, offers))
        problems.note = plugins.broken_note().strip("\n")
        return None
    values = _params(kind, use, params, where, plugins, problems)
    if values is None:
        return None
    if coefficient is not None:
        return Term(name=name, use=use, params=values, coefficient=float(coefficient))
    return Plugged(name=name, use=use, params=values)


def _params(
    kind: Kind, use: str, params: dict[str, Any], where: Where, plugins: Plugins, problems: Problems
) -> dict[str, Any] | None:
    """The parameters with defaults filled in, those that hold another plugin's spec checked in turn."""
    offer = plugins.find(kind, use).offer
    try:
        values = checked_params(offer, params)
    except ValidationError as error:
        problems.add_validation(where, error, params, params_model(offer).model_fields)
        return None
    for name, mark in nested_uses(offer).items():
        inner = _plugged(mark.kind, values[name], (*where, name), plugins, problems)
        if inner is None:
            return None
        values[name] = {"use": inner.use, **inner.params}
    return values
