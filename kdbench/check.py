"""A suite file and overrides in, a checked Suite out; nothing is downloaded, decoded or trained on the way."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kdbench.contracts import Dataset
from kdbench.errors import KdbenchError, PluginError, SuiteError, nearest
from kdbench.params import nested_uses, params_model
from kdbench.plugins import Kind, Plugins
from kdbench.problems import Problems
from kdbench.suite import Plugged, Suite, SuiteFile, Term
from kdbench.yamlfile import Where, parse_scalar, read

LISTS: dict[str, Kind] = {
    "datasets": "dataset",
    "students": "student",
    "strategies": "strategy",
    "objective": "objective",
}


def load_suite(path: Path, plugins: Plugins, overrides: list[str] | None = None) -> Suite:
    """Raises SuiteError with every problem found, in the order of the file."""
    data, lines = read(path)
    if not isinstance(data, dict):
        raise SuiteError(f"{path}: found {type(data).__name__}, expected a map with the keys of a suite (name, datasets, …)")
    problems = Problems(str(path), lines)
    for override in overrides or []:
        _apply(data, override, problems)
    _expand_shorthand(data)
    try:
        file = SuiteFile.model_validate(data)
    except ValidationError as error:
        _add_validation(problems, error)
        problems.raise_if_any()
        raise
    plugged = {key: _plugged_list(key, getattr(file, key), plugins, problems) for key in LISTS}
    teachers = {
        name: _plugged("teacher", entry, ("teachers", name), plugins, problems, label=name)
        for name, entry in file.teachers.items()
    }
    _check_teams(file, problems)
    problems.raise_if_any()
    suite = Suite(
        path=path,
        name=file.name,
        seeds=file.seeds,
        datasets=plugged["datasets"],
        students=plugged["students"],
        teachers={name: teacher for name, teacher in teachers.items() if teacher},
        teams=file.teams,
        strategies=plugged["strategies"],
        objective=[term for term in plugged["objective"] if isinstance(term, Term)],
        train=file.train,
        evaluate=file.evaluate,
        latency=file.latency,
    )
    _check_sizes(suite, plugins, problems)
    problems.raise_if_any()
    return suite


def build_dataset(spec: Plugged, plugins: Plugins) -> Dataset:
    dataset: Dataset = plugins.find("dataset", spec.use).offer.build(**spec.params)
    return dataset


def _apply(data: dict[str, Any], override: str, problems: Problems) -> None:
    """Sets `a.b[0].c=value` in place; the value is read as YAML would read it."""
    key, separator, text = override.partition("=")
    steps = tuple(int(s) if s.isdecimal() else s for s in re.split(r"[.\[\]]+", key.strip().rstrip("]")))
    if not separator or not all(step != "" for step in steps):
        raise SuiteError(f"override {override!r}: expected dotted.path=value, such as train.lr=1e-3")
    target: Any = data
    for depth, step in enumerate(steps[:-1]):
        if isinstance(target, dict):
            target = target.setdefault(step, {})
        elif isinstance(target, list) and isinstance(step, int) and step < len(target):
            if isinstance(target[step], str):
                target[step] = {"use": target[step]}
            target = target[step]
        else:
            target = None
        if not isinstance(target, dict | list):
            raise SuiteError(f"override {override!r}: nothing at {'.'.join(map(str, steps[: depth + 1]))} to set a key of")
    try:
        target[steps[-1]] = parse_scalar(text, f"override {override!r}")
    except (IndexError, TypeError):
        raise SuiteError(
            f"override {override!r}: found {steps[-1]!r}, expected an index below {len(target)} of the list"
        ) from None
    problems.overrides[steps] = override


def _expand_shorthand(data: dict[str, Any]) -> None:
    """`- equal` stands for `- use: equal`."""
    for key in LISTS:
        if isinstance(data.get(key), list):
            data[key] = [{"use": entry} if isinstance(entry, str) else entry for entry in data[key]]
    teachers = data.get("teachers")
    if isinstance(teachers, dict):
        data["teachers"] = {k: {"use": v} if isinstance(v, str) else v for k, v in teachers.items()}


def _add_validation(problems: Problems, error: ValidationError) -> None:
    """Unknown keys get the keys of the block they stand in."""
    blocks: dict[Where, Any] = {(): SuiteFile.model_fields}
    for name in ("train", "evaluate", "latency"):
        blocks[(name,)] = type(SuiteFile.model_fields[name].default).model_fields
    for item in error.errors():
        parent = tuple(item["loc"][:-1])
        if item["type"] == "extra_forbidden" and parent in blocks:
            known = sorted(blocks[parent])
            problems.add(item["loc"], item["loc"][-1], f"one of {', '.join(known)}", nearest(item["loc"][-1], known))
        else:
            problems.add_validation((), ValidationError.from_exception_data(error.title, [_line(item)]))


def _line(item: Any) -> Any:
    return {"type": item["type"], "loc": item["loc"], "input": item["input"], "ctx": item.get("ctx", {})}


def _plugged_list(key: str, entries: list[dict[str, Any]], plugins: Plugins, problems: Problems) -> list[Any]:
    found = [_plugged(LISTS[key], entry, (key, i), plugins, problems) for i, entry in enumerate(entries)]
    labels = Counter(entry.name for entry in found if entry)
    for index, entry in enumerate(found):
        if entry and labels[entry.name] > 1 and key != "objective":
            problems.add((key, index), entry.name, "a label used once", "give each a `name:` of its own")
            labels[entry.name] = 1
    return [entry for entry in found if entry]


def _plugged(
    kind: Kind, entry: dict[str, Any], where: Where, plugins: Plugins, problems: Problems, label: str | None = None
) -> Plugged | None:
    """One entry, its parameters checked against the plugin's signature; None where it is wrong, which is then noted."""
    params = dict(entry)
    use = params.pop("use", None)
    if not isinstance(use, str):
        known = ", ".join(plugins.offers(kind))
        problems.add((*where, "use"), "nothing" if use is None else use, f"`use:` with a {kind}: {known}")
        return None
    name = use if label is None else label
    if label is None:
        name = params.pop("name", use)
    if not isinstance(name, str):
        problems.add((*where, "name"), name, "a string")
        return None
    coefficient = params.pop("coefficient", 1.0) if kind == "objective" else None
    if kind == "objective" and (isinstance(coefficient, bool) or not isinstance(coefficient, int | float)):
        problems.add((*where, "coefficient"), coefficient, "a number")
        return None
    if use not in plugins.offers(kind):
        offers = plugins.offers(kind)
        hint = (nearest(use, offers) + plugins.broken_note()).strip()
        problems.add((*where, "use"), use, f"a {kind}: {', '.join(offers)}", hint)
        return None
    values = check_params(kind, use, params, where, plugins, problems)
    if values is None:
        return None
    if kind == "objective":
        return Term(name=name, use=use, params=values, coefficient=float(coefficient or 0.0))
    return Plugged(name=name, use=use, params=values)


def check_params(
    kind: Kind, use: str, params: dict[str, Any], where: Where, plugins: Plugins, problems: Problems
) -> dict[str, Any] | None:
    """The parameters with defaults filled in, those that hold another plugin's spec checked in turn."""
    offer = plugins.find(kind, use).offer
    model = params_model(offer)
    try:
        values = model.model_validate(params).model_dump()
    except ValidationError as error:
        problems.add_validation(where, error, model.model_fields)
        return None
    for name, mark in nested_uses(offer).items():
        inner = _plugged(mark.kind, values[name], (*where, name), plugins, problems)
        if inner is None:
            return None
        values[name] = {"use": inner.use, **inner.params}
    return values


def _check_teams(file: SuiteFile, problems: Problems) -> None:
    for index, team in enumerate(file.teams):
        for place, name in enumerate(team):
            if name not in file.teachers:
                known = ", ".join(file.teachers) or "none is defined"
                problems.add(("teams", index, place), name, f"a key of `teachers:`: {known}", nearest(name, file.teachers))
        if len(set(team)) < len(team):
            problems.add(("teams", index), team, "each teacher once")
        if file.teams.index(team) < index:
            problems.add(("teams", index), team, f"a team not listed yet; it is teams[{file.teams.index(team)}] as well")
        if team and not file.objective:
            problems.add(("teams", index), team, "an `objective:` with at least one term, for a team that teaches")
        if len(team) > 1 and not file.strategies:
            problems.add(("teams", index), team, "at least one entry in `strategies:`, for a team of two or more")
    for index, seed in enumerate(file.seeds):
        if file.seeds.index(seed) < index:
            problems.add(("seeds", index), seed, "each seed once")


def _check_sizes(suite: Suite, plugins: Plugins, problems: Problems) -> None:
    """K of R@K and the batch must fit the splits; building a dataset reads its index only."""
    for index, spec in enumerate(suite.datasets):
        try:
            dataset = build_dataset(spec, plugins)
            sizes = {name: dataset.split(name) for name in ("train", "validation", "test")}
        except PluginError:
            raise
        except KdbenchError as error:
            problems.add(("datasets", index), spec.use, str(error))
            continue
        for place, k in enumerate(suite.evaluate.recall_at):
            for name in ("validation", "test"):
                limit = min(len(sizes[name].images), len(sizes[name].captions))
                if k > limit:
                    where: Where = ("evaluate", "recall_at", place)
                    problems.add(where, k, f"at most {limit}, the candidates in {spec.name}'s {name} split")
        if suite.train.batch_size > len(sizes["train"].images):
            expected = f"at most {len(sizes['train'].images)}, the images in {spec.name}'s train split"
            problems.add(("train", "batch_size"), suite.train.batch_size, expected)
