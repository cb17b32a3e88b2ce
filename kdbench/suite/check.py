"""Turns a suite file and overrides into a checked Suite without downloading, decoding or training anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kdbench.errors import nearest
from kdbench.plugins.loading import Kind, Plugins
from kdbench.suite.consistency import (
    check_also,
    check_plugin,
    check_plugins,
    check_sizes,
    check_tasks,
    check_teams,
)
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.form_checks import FORMED, check_forms
from kdbench.suite.model import StageFile, Suite, SuiteFile, Variant
from kdbench.suite.plugin_entries import LISTS, plugged, plugged_list
from kdbench.suite.race import Race
from kdbench.suite.settings import Evaluate
from kdbench.suite.smoke import smoked
from kdbench.suite.source import SuiteSource, read_suite
from kdbench.suite.spec import PluginSpec, TermSpec
from kdbench.suite.stages import check_stages, expand_shorthand, plugged_stages, stage_entries, stages_of
from kdbench.suite.sweep import SweepFile
from kdbench.suite.sweep_space import check_labels, checked_sweep
from kdbench.suite.task_settings import also_of, built_task, task_of, train_of
from kdbench.suite.team_checks import check_terms, check_weighting
from kdbench.suite.yaml_file import YamlPath


def load_suite(
    path: Path, plugins: Plugins, overrides: list[str] | None = None, deep: bool = False, smoke: bool = False
) -> Suite:
    """Reads and checks a suite; see `check_suite`."""
    return check_suite(read_suite(path, overrides), plugins, deep, smoke)


def check_suite(source: SuiteSource, plugins: Plugins, deep: bool = False, smoke: bool = False) -> Suite:
    """Checks a suite. Raises SuiteError with all diagnostics, in the order of the file.

    With `deep`, plugins also check their parameters themselves. This may take seconds (torch may be imported) and finds errors
    that types cannot, such as an unknown model name or a missing package. With `smoke`, the suite is shrunk first (see
    `kdbench.suite.smoke`).
    """
    path = source.path
    data, diagnostics = source.parts()
    _expand_shorthand(data)
    suite = _checked(path, data, plugins, diagnostics, deep, smoke)
    if suite is None:
        diagnostics.raise_if_any()
    assert suite is not None
    if deep:
        check_forms(suite, plugins, diagnostics)
    variants: dict[str, Suite] = {}
    key, changed = _variants(data)
    if data.get("variants") and data.get("regimes"):
        diagnostics.add(
            ("regimes",),
            "variants and regimes",
            "one of the two: rows of regimes have tables of their own, those of variants share one",
        )
    for name, changes in changed.items():
        with diagnostics.within((key, name), changes):
            variant = _checked(path, _varied(data, changes), plugins, diagnostics, deep, smoke)
            if variant and deep and FORMED & changes.keys():
                check_forms(variant, plugins, diagnostics)
        variants |= {name: variant} if variant else {}
    check_labels(data.get("sweep"), [suite, *variants.values()], diagnostics)
    diagnostics.raise_if_any()
    return suite.model_copy(update={"variants": variants, "regimes": key == "regimes"}) if variants else suite


def _variants(data: dict[str, Any]) -> tuple[str, dict[str, dict[str, Any]]]:
    """The suite's variants or regimes, with the key that they are under; those that are no maps already have a diagnostic."""
    key = "regimes" if data.get("regimes") else "variants"
    given = data.get(key)
    return key, {name: one for name, one in given.items() if isinstance(one, dict)} if isinstance(given, dict) else {}


def _varied(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The suite with a variant's blocks instead of its own: lists are replaced, maps merged."""
    own = {key: value for key, value in data.items() if key not in ("variants", "regimes")}
    merged = {
        key: {**own[key], **value} if isinstance(value, dict) and isinstance(own.get(key), dict) else value
        for key, value in changes.items()
    }
    return own | merged


def _checked(
    path: Path, data: dict[str, Any], plugins: Plugins, diagnostics: Diagnostics, deep: bool, smoke: bool
) -> Suite | None:
    """The checked suite; None, with diagnostics, if something is wrong."""
    before = len(diagnostics.found)
    task, data = task_of(data, plugins, diagnostics)
    file = _validated(data, task, diagnostics)
    entries = {key: plugged_list(kind, (key,), data.get(key), plugins, diagnostics) for key, kind in LISTS.items()}
    evaluate = data.get("evaluate")
    also = evaluate.get("also") if isinstance(evaluate, dict) else None
    also = plugged_list("dataset", ("evaluate", "also"), also, plugins, diagnostics)
    stages = plugged_stages(data.get("train"), plugins, diagnostics)
    given = data.get("teachers")
    teachers = {
        name: plugged("teacher", entry, ("teachers", name), plugins, diagnostics, label=name)
        for name, entry in (given.items() if isinstance(given, dict) else ())
        if isinstance(entry, dict)
    }
    if file is not None:
        check_teams(file, diagnostics)
        check_stages(file, diagnostics)
    if file is None or task is None or len(diagnostics.found) > before:
        return None
    suite = Suite(
        path=path,
        name=file.name,
        task=task,
        seeds=file.seeds,
        folds=file.folds,
        datasets=entries["datasets"],
        also=also_of(also, task, plugins),
        students=entries["students"],
        teachers={name: teacher for name, teacher in teachers.items() if teacher},
        teams=file.teams,
        references=file.references,
        strategies=entries["strategies"],
        objective=[term for term in entries["objective"] if isinstance(term, TermSpec)],
        train=train_of(file.train, task, plugins),
        stages=stages_of(file, stages),
        evaluate=Evaluate(**file.evaluate.model_dump(exclude={"also"})),
        latency=file.latency,
        timeout=file.timeout,
        race=file.race,
    )
    if file.sweep:

        def again(kind: Kind, entry: dict[str, Any], apart: Diagnostics) -> PluginSpec | None:
            found = plugged(kind, entry, (), plugins, apart)
            if found and deep:
                check_plugin(kind, found.use, found.params, (), plugins, apart)
            return found

        suite = suite.model_copy(
            update={"sweep": checked_sweep(file.sweep, suite, built_task(task, plugins), again, diagnostics)}
        )
    check_tasks(suite, plugins, diagnostics)
    check_also(suite, plugins, diagnostics)
    if smoke:
        suite = smoked(suite, plugins)
    check_sizes(suite, plugins, diagnostics, deep)
    if deep:
        check_plugins(suite, plugins, diagnostics)
        check_terms(suite, plugins, diagnostics)
        check_weighting(suite, plugins, diagnostics)
    return suite


def _validated(data: dict[str, Any], task: PluginSpec | None, diagnostics: Diagnostics) -> SuiteFile | None:
    try:
        return SuiteFile.model_validate(data)
    except ValidationError as error:
        blocks: dict[YamlPath, Any] = {(): SuiteFile.model_fields}  # blocks whose keys a message lists
        for name in ("train", "evaluate", "latency"):
            blocks[(name,)] = type(SuiteFile.model_fields[name].default).model_fields
        blocks |= {("sweep",): SweepFile.model_fields, ("race",): Race.model_fields}
        blocks |= {where: StageFile.model_fields for where, _ in stage_entries(data.get("train"))}
        which, changes = _variants(data)
        blocks |= {(which, name): Variant.model_fields for name in changes}
        for item in error.errors():
            *outer, key = item["loc"] or ("",)
            parent = tuple(outer)
            if item["type"] == "extra_forbidden" and parent in blocks:
                known = sorted({*blocks[parent], *(task.params if task and parent == ("evaluate",) else ())})
                diagnostics.add(item["loc"], key, f"one of {', '.join(known)}", nearest(key, known))
            else:
                line: Any = {name: item.get(name, {}) for name in ("type", "loc", "input", "ctx")}
                diagnostics.add_validation((), ValidationError.from_exception_data(error.title, [line]), data)
        return None


def _expand_shorthand(data: dict[str, Any]) -> None:
    """Expands short forms: `- equal` to `- use: equal`, also in variants, and `pruner: none` to `pruner: {use: none}`."""
    for changes in _variants(data)[1].values():
        _expand_shorthand(changes)
    expand_shorthand(data.get("train"))
    for key in LISTS:
        if isinstance(data.get(key), list):
            data[key] = [{"use": entry} if isinstance(entry, str) else entry for entry in data[key]]
    evaluate = data.get("evaluate")
    if isinstance(evaluate, dict) and isinstance(evaluate.get("also"), list):
        evaluate["also"] = [{"use": entry} if isinstance(entry, str) else entry for entry in evaluate["also"]]
    sweep = data.get("sweep")
    if isinstance(sweep, dict) and isinstance(sweep.get("pruner"), str):
        sweep["pruner"] = {"use": sweep["pruner"]}
    teachers = data.get("teachers")
    if isinstance(teachers, dict):
        data["teachers"] = {k: {"use": v} if isinstance(v, str) else v for k, v in teachers.items()}
