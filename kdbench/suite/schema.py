"""The JSON Schema of suite files, with the parameters of all installed plugins, for completion in editors."""

from __future__ import annotations

from typing import Any

from kdbench.plugins.loading import Kind, Plugins
from kdbench.plugins.parameters import nested_uses, params_model
from kdbench.suite.model import SuiteFile

SUITE_KINDS: tuple[Kind, ...] = ("dataset", "teacher", "student", "objective", "strategy")  # kinds that a suite names by `use:`


def json_schema(plugins: Plugins) -> dict[str, Any]:
    """JSON Schema (draft 2020-12). An entry that names a plugin has one alternative for each installed plugin."""
    schema = SuiteFile.model_json_schema() | {"title": "kdbench suite"}
    parts = [name for name in schema["required"] if name != "name"]  # may come from a preset
    schema |= {"required": ["name"], "anyOf": [{"required": parts}, {"required": ["extends"]}]}
    definitions = schema.setdefault("$defs", {})
    for kind in SUITE_KINDS:
        names = []
        for name in plugins.offers(kind):
            offered = _offer_schema(kind, name, plugins)
            for inner, definition in offered.pop("$defs", {}).items():
                definitions[f"{kind}:{name}:{inner}"] = definition
            definitions[f"{kind}:{name}"] = offered
            names.append(name)
        alternatives = [{"$ref": _reference(f"{kind}:{name}")} for name in names]
        definitions[kind] = {"anyOf": [{"enum": names}, *alternatives]}
    for name in plugins.offers("task"):  # the block `evaluate` also holds the task's settings
        own = params_model(plugins.find("task", name).offer).model_json_schema(ref_template="#/$defs/{model}")
        definitions["EvaluateFile"]["properties"] |= own.get("properties", {})
        definitions |= own.get("$defs", {})
    resolved = _resolve(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **resolved}


def _reference(name: str) -> str:
    """A pointer into `$defs`; JSON pointers escape `~` and `/` (RFC 6901)."""
    return "#/$defs/" + name.replace("~", "~0").replace("/", "~1")


def _offer_schema(kind: Kind, name: str, plugins: Plugins) -> dict[str, Any]:
    offer = plugins.find(kind, name).offer
    schema = params_model(offer).model_json_schema(ref_template=_reference(f"{kind}:{name}:") + "{model}")
    for parameter, mark in nested_uses(offer).items():
        one = {"$ref": f"#/$defs/{mark.kind}"}
        map_of, list_of = {"type": "object", "additionalProperties": one}, {"type": "array", "items": one}
        options: list[dict[str, Any]] = [map_of, list_of] if mark.several else [one]
        if parameter not in schema.get("required", []):
            options.append({"type": "null"})
        schema["properties"][parameter] = {"anyOf": options} if len(options) > 1 else one
    properties: dict[str, Any] = {"use": {"const": name, "description": offer.summary}}
    if kind != "teacher":
        properties["name"] = {"type": "string", "description": "A label; defaults to `use`."}
    if kind == "objective":
        properties["coefficient"] = {"type": "number", "default": 1.0}
    schema["properties"] = properties | schema.get("properties", {})
    schema["required"] = ["use", *schema.get("required", [])]
    schema["title"] = f"{kind} {name}"
    return schema


def _resolve(node: Any) -> Any:
    """Replaces each marker of a kind by a reference to its alternatives."""
    if isinstance(node, list):
        return [_resolve(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "x-kdbench-kind" in node:
        return {"$ref": f"#/$defs/{node['x-kdbench-kind']}", "description": node.get("description", "")}
    return {key: _resolve(value) for key, value in node.items()}
