"""The suite reference: every block of a suite file as a table, made from the JSON Schema that editors use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docs.tools.blocks import cell, table
from kdbench.plugins.loading import KINDS, Plugins
from kdbench.suite.schema import json_schema

LINKS = {
    "strategy": "../methods/strategies.md",
    "objective": "../methods/objectives.md",
    "dataset": "../methods/others.md#datasets",
    "student": "../methods/others.md#students",
    "teacher": "../methods/others.md#teachers",
}
SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def suite_reference(plugins: Plugins) -> str:
    """Markdown: the top level first, then every block by the path of its key, in the order in which they are met."""
    schema = json_schema(plugins)
    paths: dict[str, str] = {}  # of a block that several keys have, the first
    for path, name in _blocks(schema, schema["$defs"], ""):
        paths.setdefault(name, path)
    whole = _section("The file { #file }", schema, paths)
    blocks = [_section(f"{path} {{ #{_anchor(path)} }}", schema["$defs"][name], paths) for name, path in paths.items()]
    return "\n\n".join([whole, *blocks])


def undescribed(plugins: Plugins) -> list[str]:
    """Keys of suite files without a description."""
    schema = json_schema(plugins)
    blocks = {"": schema} | {path: schema["$defs"][name] for path, name in _blocks(schema, schema["$defs"], "")}
    return [
        f"{path}.{name}".removeprefix(".")
        for path, block in blocks.items()
        for name, field in block["properties"].items()
        if not field.get("description")
    ]


def _anchor(path: str) -> str:
    return path.replace(".", "-")


def _section(title: str, block: dict[str, Any], paths: dict[str, str]) -> str:
    required = set(block.get("required", ()))
    rows = []
    for name, field in block["properties"].items():
        default = "required" if name in required else _default(field)
        rows.append([f"`{name}`", _type(field, paths), default, cell(field.get("description", ""))])
    told = [" ".join(block["description"].split())] if block.get("description") else []
    return "\n\n".join([f"## {title}", *told, table(["key", "type", "default", "meaning"], rows)])


def _blocks(node: dict[str, Any], definitions: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Path and name of every block, other than plugins, below one."""
    for key, field in node.get("properties", {}).items():
        for name in dict.fromkeys(_references(field)):
            block = definitions.get(name, {})
            if name not in KINDS and ":" not in name and block.get("properties"):
                own = f"{path}.{key}".removeprefix(".")
                yield own, name
                yield from _blocks(block, definitions, own)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for key, value in node.items():
            if key not in ("$defs", "default"):
                yield from _references(value)


def _default(field: dict[str, Any]) -> str:
    if "default" not in field or isinstance(field["default"], dict):
        return ""
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`"


def _type(node: dict[str, Any], paths: dict[str, str]) -> str:
    """A schema's type in words: `integer ≥ 1`, `list of strategy`, `map to teacher`."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f"[{name}]({LINKS[name]})" if name in LINKS else f"[block](#{_anchor(paths[name])})"
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_type(one, paths) for one in node["anyOf"]))
    if "enum" in node:
        return " or ".join(f"`{json.dumps(one)}`" for one in node["enum"])
    kind = node.get("type", "any value")
    if kind == "array":
        inner = _type(node.get("items", {}), paths)
        return "list" if inner == "any value" else f"list of {inner}"
    if kind == "object":
        values = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
        if {"low", "high"} <= set(node.get("properties", {})):
            return "range (`low`, `high`, `log`, `step`)"
        return f"map to {_type(values, paths)}" if isinstance(values, dict) and values else "map"
    limits = [f"{sign} {node[name]}" for name, sign in SIGNS.items() if name in node]
    return " ".join([str(kind), ", ".join(limits)]).strip()
