"""Tests all properties of a plugin of any kind and task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

from pydantic import ValidationError

from kdbench.contracts import Offer
from kdbench.errors import PluginError, quoted
from kdbench.plugins.loading import Kind, installed
from kdbench.plugins.parameters import checked_params, construct
from kdbench.testing import strategies, tasks
from kdbench.testing.findings import Finding, announced, hearing
from kdbench.testing.variants import variants_of

Others = Mapping[str, Callable[[], Any]]
BUILT = "can be built"
KINDS: tuple[Kind, ...] = ("task", "dataset", "teacher", "student", "objective", "strategy")


def conform(
    offer: Offer[Any], kind: Kind, params: Mapping[str, Any] | None = None, others: Others | None = None
) -> list[Finding]:
    """Tests every property of the kind on an offer, built from `params`, by default the offer's example. That of a teacher is
    made small by the offer's `smoke`, if it has one: nothing is downloaded.

    A strategy is compared with `others` (name → builder), by default all other installed strategies. Plugins of a task are
    tested by the module in `Task.conformance`. If the plugin cannot be built, that is the only finding. Raises PluginError
    for a kind without properties.
    """
    if kind not in KINDS:
        raise PluginError(f"there are no properties for the kind {kind!r}; expected one of {', '.join(KINDS)}")
    try:
        given = dict(params) if params is not None else _example(offer, kind)
        build = partial(construct, offer, given)
        built = build()
    except Exception as error:  # any exception of the plugin
        return [announced(Finding(BUILT, "fails", quoted(error) + (_hint(error) if params is None else "")))]
    built_finding = announced(Finding(BUILT, "holds"))
    if kind == "strategy":
        found = strategies.find(build, offer.waives, installed_others(offer.name) if others is None else others)
    elif kind == "task":
        examples = _checks(built.conformance, "EXAMPLES")
        found = tasks.find(build, examples["dataset"], examples["student"], offer.waives) if examples else []
    else:
        found = _find(offer, kind, build, given)
    return [built_finding, *found]


def _example(offer: Offer[Any], kind: Kind) -> dict[str, Any]:
    example = dict(offer.example)
    return offer.smoke(checked_params(offer, example)) if kind == "teacher" and offer.smoke else example


def _hint(error: Exception) -> str:
    missing = isinstance(error, ValidationError) and any(item["type"] == "missing" for item in error.errors())
    return "; an offer whose parameters have no defaults needs an `example`" if missing else ""


def _find(offer: Offer[Any], kind: Kind, build: Callable[[], Any], params: Mapping[str, Any]) -> list[Finding]:
    """Runs the checks of the tasks that the offer names; properties of further ones are called `task: property`."""
    marks = {task: f"{task}: " for task in offer.also}
    own = {name: why for name, why in offer.waives.items() if not name.startswith(tuple(marks.values()))}
    found = _find_of_task(offer.task, offer, kind, build, params, own)
    for task, mark in marks.items():
        waives = {name.removeprefix(mark): why for name, why in offer.waives.items() if name.startswith(mark)}
        with hearing(lambda _: None):
            others = _find_of_task(task, offer, kind, build, params, waives)
        found += [announced(replace(finding, property=mark + finding.property)) for finding in others]
    return found


def _find_of_task(
    task: str, offer: Offer[Any], kind: Kind, build: Callable[[], Any], params: Mapping[str, Any], waives: Mapping[str, str]
) -> list[Finding]:
    """Runs the checks of a task; those with an argument `variants` are given variants of the plugin."""
    find = _checks(construct(installed().find("task", task).offer, {}).conformance, "FIND").get(kind)
    if find is None:
        return []
    more = {"variants": variants_of(offer, params)} if "variants" in signature(find).parameters else {}
    found: list[Finding] = find(build, waives, **more)
    return found


def _checks(module: str, name: str) -> dict[str, Any]:
    """An attribute of the task's module of checks; empty if it has no such module."""
    return dict(getattr(import_module(module), name, {})) if module else {}


def installed_others(name: str) -> Others:
    """Builders of all installed strategies but one, from their examples; strategies that cannot be built are left out."""
    found: dict[str, Callable[[], Any]] = {}
    for other, listed in installed().offers("strategy").items():
        build = partial(construct, listed.offer, dict(listed.offer.example))
        if other != name:
            try:
                build()
            except Exception:  # its own check reports the error
                continue
            found[other] = build
    return found
