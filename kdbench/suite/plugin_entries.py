"""Entries of a suite that name a plugin (`use:`, a label, parameters), checked against the plugin's signature."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from pydantic import ValidationError

from kdbench.contracts.values import JsonObject
from kdbench.errors import nearest
from kdbench.plugins.loading import Kind, Plugins, article
from kdbench.plugins.parameters import checked_params, default_params, nested_uses, params_model
from kdbench.suite.diagnostics import NOTHING, Diagnostics
from kdbench.suite.spec import PluginSpec, TermSpec
from kdbench.suite.yaml_file import YamlPath

LISTS: dict[str, Kind] = {
    "datasets": "dataset",
    "students": "student",
    "strategies": "strategy",
    "objective": "objective",
}


def plug(kind: Kind, entry: JsonObject, source: str, plugins: Plugins) -> PluginSpec:
    """A plugin in the form of a suite's entry, but given elsewhere, such as on the command line. Raises SuiteError."""
    diagnostics = Diagnostics(source, {})
    found = plugged(kind, entry, (), plugins, diagnostics)
    diagnostics.raise_if_any()
    assert found is not None
    return found


def plugged_list(kind: Kind, where: YamlPath, entries: Any, plugins: Plugins, diagnostics: Diagnostics) -> list[Any]:
    """The entries of the list at `where` that are maps, checked; others already have a diagnostic."""
    places = [i for i, entry in enumerate(entries if isinstance(entries, list) else []) if isinstance(entry, dict)]
    found = {i: plugged(kind, entries[i], (*where, i), plugins, diagnostics) for i in places}
    seen: Counter[str] = Counter()
    for index, entry in found.items():
        if entry is None or kind == "objective":
            continue
        if seen[entry.name]:
            diagnostics.add((*where, index), entry.name, "a unique label", "give each a `name:` of its own")
        seen[entry.name] += 1
    return [entry for entry in found.values() if entry]


def plugged(
    kind: Kind, entry: JsonObject, where: YamlPath, plugins: Plugins, diagnostics: Diagnostics, label: str | None = None
) -> PluginSpec | None:
    """One entry with its parameters checked against the plugin's signature; None, with diagnostics, if it is invalid."""
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
    values, defaults, versions = found
    spec = PluginSpec(
        name=name,
        use=use,
        params=values,
        defaults=defaults,
        version=plugins.find(kind, use).offer.version,
        versions=versions,
    )
    return spec if coefficient is None else TermSpec(**dict(spec), coefficient=float(coefficient))


def _params(
    kind: Kind, use: str, params: JsonObject, where: YamlPath, plugins: Plugins, diagnostics: Diagnostics
) -> tuple[JsonObject, JsonObject, dict[str, int]] | None:
    """All parameters, the defaults of those that have one, and the versions of the plugins that parameters hold.

    Parameters that hold another plugin's spec are checked in turn.
    """
    offer = plugins.find(kind, use).offer
    try:
        values = checked_params(offer, params)
    except ValidationError as error:
        diagnostics.add_validation(where, error, params, params_model(offer).model_fields)
        return None
    defaults = default_params(offer)
    versions: dict[str, int] = {}
    for name, mark in nested_uses(offer).items():
        inner = plugged(mark.kind, values[name], (*where, name), plugins, diagnostics)
        if inner is None:
            return None
        values[name] = {"use": inner.use, **inner.params}
        defaults |= {f"{name}.{path}": value for path, value in inner.defaults.items()}
        versions |= {f"{name}.{path}": version for path, version in inner.versions.items()}
        if inner.version != 1:
            versions[name] = inner.version
    return values, defaults, versions
