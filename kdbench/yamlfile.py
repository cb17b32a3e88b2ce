"""Reads YAML safely, knowing the line of every key, with numbers and truth values as YAML 1.2 has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from kdbench.errors import SuiteError

Where = tuple[str | int, ...]  # a path in the file, such as ("students", 0, "model")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads `1e-3` as a string and `no` as false; YAML 1.2 does neither."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in ("tag:yaml.org,2002:float", "tag:yaml.org,2002:bool")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.inf|\.Inf|\.INF)$|^\.(?:nan|NaN|NAN)$"),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def parse_scalar(text: str, source: str) -> Any:
    """The value that `text` would have in a file; lists and maps in flow style too."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader with other number patterns
    except yaml.YAMLError as error:
        raise SuiteError(f"{source}: {text!r} is not valid YAML ({_first_line(error)})") from error


def read(path: Path) -> tuple[Any, dict[Where, int]]:
    """The file's data, and for each path in it the line it stands on (from 1)."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SuiteError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path}: cannot be read ({error})") from error
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            lines: dict[Where, int] = {(): 1}
            if node is None:
                return None, lines
            _walk(node, (), lines, path)
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SuiteError(f"{path}:{line}: not valid YAML: {error.problem or _first_line(error)}") from error
    except yaml.YAMLError as error:
        raise SuiteError(f"{path}: not valid YAML: {_first_line(error)}") from error


def _walk(node: yaml.Node, where: Where, lines: dict[Where, int], path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*where, key.value)
            line = key.start_mark.line + 1
            if here in lines:
                raise SuiteError(f"{path}:{line}: {dotted(here)} is given twice; first on line {lines[here]}")
            lines[here] = line
            _walk(value, here, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            here = (*where, index)
            lines[here] = value.start_mark.line + 1
            _walk(value, here, lines, path)


def dotted(where: Where) -> str:
    """`("students", 0, "model")` → `students[0].model`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return text.removeprefix(".") or "(the whole file)"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
