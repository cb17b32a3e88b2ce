"""Entries of a suite that name a plugin (`use:`, a label, parameters), checked against the plugin's signature."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from pydantic import ValidationError

from kdbench.contracts.names import EXPECTED, NAME, is_name
from kdbench.contracts.values import JsonObject
from kdbench.errors import nearest
from kdbench.plugins.loading import Kind, Plugins, article
from kdbench.plugins.parameters import (
    Nested,
    checked_params,
    default_params,
    nested_specs,
    nested_uses,
    params_model,
    with_nested,
)
from kdbench.suite.diagnostics import NOTHING, Diagnostics
from kdbench.suite.spec import PluginSpec, TermSpec, without_defaults
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
    if not isinstance(name, str) or not is_name(name):
        diagnostics.add((*where, "name"), name, EXPECTED[NAME] if isinstance(name, str) else "a string")
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
    held = nested_uses(offer)
    found: list[tuple[Nested, JsonObject]] = []
    for nested in nested_specs(offer, values, checked=False):
        inner = plugged(nested.kind, nested.spec, (*where, *nested.path), plugins, diagnostics)
        if inner is None:
            return None
        path = ".".join(map(str, nested.path))
        if held[str(nested.path[0])].several:  # of a map or list as a whole, no path to a default within it can be given
            found.append((nested, without_defaults(inner.params, inner.defaults)))
        else:
            found.append((nested, inner.params))
            defaults |= {f"{path}.{name}": value for name, value in inner.defaults.items()}
        versions |= {f"{path}.{name}": version for name, version in inner.versions.items()}
        if inner.version != 1:
            versions[path] = inner.version
    return with_nested(values, found), defaults, versions
