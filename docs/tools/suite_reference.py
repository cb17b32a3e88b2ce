"""The suite reference: every block of a suite file as a table, made from the JSON Schema that editors use."""

from __future__ import annotations

import json
from typing import Any

from docs.tools.blocks import cell, table
from kdbench.plugins.loading import KINDS, Plugins
from kdbench.suite.schema import json_schema

LINKS = {"strategy": "../methods/strategies.md", "objective": "../methods/objectives.md"}
OTHERS = "../methods/others.md"


def suite_reference(plugins: Plugins) -> str:
    """Markdown: the top level first, then every block it refers to, in the order in which they are met."""
    schema = json_schema(plugins)
    blocks = [_section(f"`{name}`", schema["$defs"][name]) for name in _blocks(schema, schema["$defs"])]
    return "\n\n".join([_section("The file", schema), *blocks])


def _section(title: str, block: dict[str, Any]) -> str:
    required = set(block.get("required", ()))
    rows = []
    for name, field in block.get("properties", {}).items():
        default = "required" if name in required else _default(field)
        rows.append([f"`{name}`", _type(field), default, cell(field.get("description", ""))])
    text = [f"## {title}"]
    if block.get("description"):
        text.append(" ".join(block["description"].split()))
    return "\n\n".join([*text, table(["key", "type", "default", "meaning"], rows)])


def _blocks(node: Any, definitions: dict[str, Any], seen: dict[str, None] | None = None) -> list[str]:
    """Names of the blocks, other than plugins, that a schema refers to."""
    seen = {} if seen is None else seen
    fields = node.get("properties", {}).values() if isinstance(node, dict) else ()
    for name in [name for field in fields for name in _references(field)]:
        if name in definitions and name not in seen and name not in KINDS and ":" not in name:
            seen[name] = None
            _blocks(definitions[name], definitions, seen)
    return [name for name in seen if definitions[name].get("properties")]


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"].rpartition("/")[2]] if "$ref" in node else []
    return own + [name for key, value in node.items() if key not in ("$defs", "default") for name in _references(value)]


def _default(field: dict[str, Any]) -> str:
    if "default" not in field or isinstance(field["default"], dict):
        return ""
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`"


def _type(node: dict[str, Any]) -> str:
    """A schema's type in words: `integer ≥ 1`, `list of team`, `strategy`."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name in KINDS:
            return f"[{name}]({LINKS.get(name, OTHERS)})"
        return f"[`{name}`](#{name.lower()})"
    if "anyOf" in node:
        return cell(" or ".join(dict.fromkeys(_type(one) for one in node["anyOf"])))
    if "enum" in node:
        return cell(" or ".join(f"`{json.dumps(one)}`" for one in node["enum"]))
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    kind = node.get("type", "any value")
    if kind == "array":
        return f"list of {_type(node.get('items', {}))}"
    if kind == "object":
        inner = node.get("additionalProperties")
        return f"map to {_type(inner)}" if isinstance(inner, dict) and inner else "map"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {node[name]}" for name, sign in signs.items() if name in node]
    return " ".join([str(kind), ", ".join(limits)]).strip()
