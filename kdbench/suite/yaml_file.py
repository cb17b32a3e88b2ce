"""Reads YAML safely, with the line of every key, and with numbers and booleans as in YAML 1.2's core schema."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from kdbench.errors import SuiteError

YamlPath = tuple[str | int, ...]  # a path in the file, such as ("students", 0, "model")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads `1e-3` as a string, `no` as false, `1:30` as 90, `012` as 10 and has dates; YAML 1.2 does not."""


_CHANGED = {f"tag:yaml.org,2002:{name}" for name in ("float", "bool", "int", "timestamp")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in _CHANGED]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_NUMBER = list("-+0123456789.")
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$"),
    _NUMBER,
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^(?:[-+]?\d+|0o[0-7]+|0x[0-9a-fA-F]+)$"), _NUMBER)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    try:
        return int(text[2:] if base != 10 else text, base)
    except ValueError:
        raise yaml.MarkedYAMLError(problem=f"{text!r} is not a whole number", problem_mark=node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


class _Dumper(yaml.SafeDumper):
    """Quotes strings that either version of YAML would not read as strings."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


_Dumper.yaml_implicit_resolvers = {
    first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, []), *_Loader.yaml_implicit_resolvers.get(first, [])]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
}


def dump(data: Any) -> str:
    """YAML that `read` reads as the same data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


def parse_scalar(text: str, source: str) -> Any:
    """The value that `text` has as YAML; lists and maps in flow style are possible."""
    return _load(text, lambda _: source)[0]


def read(path: Path) -> tuple[Any, dict[YamlPath, int]]:
    """The file's data, and the line (from 1) of each path in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SuiteError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path}: cannot be read ({error})") from error
    return _load(text, lambda line: f"{path}:{line}")


def _load(text: str, position: Any) -> tuple[Any, dict[YamlPath, int]]:
    """Data and lines; messages of errors start with `position(line)`."""
    lines: dict[YamlPath, int] = {(): 1}
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, lines
            _walk(node, (), lines, [])
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SuiteError(f"{position(line)}: not valid YAML: {error.problem or str(error).splitlines()[0]}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SuiteError(f"{position(1)}: not valid YAML: {str(error).splitlines()[0]}") from error
    except _Twice as twice:
        raise SuiteError(f"{position(twice.line)}: {dotted(twice.where)} is given twice; first on line {twice.first}") from None


class _Twice(Exception):
    def __init__(self, where: YamlPath, line: int, first: int) -> None:
        self.where, self.line, self.first = where, line, first


def _walk(node: yaml.Node, where: YamlPath, lines: dict[YamlPath, int], above: list[yaml.Node]) -> None:
    """Collects the line of every path; rejects duplicate keys, keys that are not scalars, and recursive aliases."""
    if any(node is parent for parent in above):
        raise yaml.MarkedYAMLError(problem="a recursive alias", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key that is a list or a map", problem_mark=key.start_mark)
            here, line = (*where, key.value), key.start_mark.line + 1
            if here in lines:
                raise _Twice(here, line, lines[here])
            lines[here] = line
            _walk(value, here, lines, [*above, node])
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*where, index] = value.start_mark.line + 1
            _walk(value, (*where, index), lines, [*above, node])


def dotted(where: YamlPath) -> str:
    """`("students", 0, "model")` → `students[0].model`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return text.removeprefix(".") or "(the whole file)"


def path_steps(path: str) -> YamlPath:
    """The inverse of `dotted`; `a.0` also means `a[0]`. A mistyped path gives an empty step."""
    return tuple(int(step) if step.isdecimal() else step for step in re.split(r"\]?\[|\]?\.", path.strip().rstrip("]")))
