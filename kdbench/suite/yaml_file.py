"""Reads YAML safely, with the line of every key, and with numbers and booleans as in YAML 1.2's core schema."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from kdbench.errors import SuiteError

YamlPath = tuple[str | int, ...]  # a path in the file, such as ("students", 0, "model")


MOST_VALUES = 100_000  # in one file, with aliases followed
DEEPEST = 100  # levels of lists and maps within each other
LONGEST = 2**20  # characters of a file; reading takes seconds for each million
BITS = 63  # of an integer without its sign


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads `1e-3` as a string, `no` as false, `1:30` as 90, `012` as 10 and has dates; YAML 1.2 does not."""

    level = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuses deep nesting before anything recurses into it."""
        if self.level > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"lists and maps are nested too deeply, in more than {DEEPEST} levels", problem_mark=mark
            )
        self.level += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.level -= 1


_CORE = "tag:yaml.org,2002:"
_CHANGED = {f"{_CORE}{name}" for name in ("float", "bool", "int", "timestamp", "value")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag not in _CHANGED]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_NUMBER = list("-+0123456789.")
_FLOAT = re.compile(r"^[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$")
_INTEGER = re.compile(r"^(?:[-+]?\d+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_Loader.add_implicit_resolver(f"{_CORE}float", _FLOAT, _NUMBER)
_Loader.add_implicit_resolver(f"{_CORE}int", _INTEGER, _NUMBER)
_Loader.add_implicit_resolver(f"{_CORE}bool", _BOOL, list("tTfF"))
# What a value may be, by its tag, and the words for it. Other tags of YAML 1.1 (sets, dates, bytes, ordered maps) are no JSON.
_FORMS = {
    "int": (_INTEGER, "a whole number"),
    "float": (re.compile(f"{_FLOAT.pattern}|^[-+]?\\d+$"), "a number"),
    "bool": (_BOOL, "true or false"),
    "null": (re.compile(r"^(?:~|null|Null|NULL|)$"), "null"),
    "str": (re.compile(r"", re.DOTALL), "a string"),
}
_COLLECTIONS: dict[str, type[yaml.Node]] = {"seq": yaml.SequenceNode, "map": yaml.MappingNode, "merge": yaml.ScalarNode}


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    digits = text[2:] if base != 10 else text
    found = int(digits, base) if len(digits) <= BITS + 1 else 1 << BITS
    if not -(1 << BITS) <= found < 1 << BITS:
        raise yaml.MarkedYAMLError(problem="found a whole number of more than 64 bits", problem_mark=node.start_mark)
    return found


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
    if len(text) > LONGEST:
        raise SuiteError(f"{position(1)}: not valid YAML: found {len(text):,} characters; expected at most {LONGEST:,}")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, lines
            _Walk(lines).visit(node, (), [])
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SuiteError(f"{position(line)}: not valid YAML: {error.problem or str(error).splitlines()[0]}") from error
    except RecursionError:
        raise SuiteError(f"{position(1)}: not valid YAML: lists and maps are nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise SuiteError(f"{position(1)}: not valid YAML: {str(error).splitlines()[0]}") from error
    except _Twice as twice:
        raise SuiteError(f"{position(twice.line)}: {dotted(twice.where)} is given twice; first on line {twice.first}") from None


class _Twice(Exception):
    def __init__(self, where: YamlPath, line: int, first: int) -> None:
        self.where, self.line, self.first = where, line, first


class _Walk:
    """Collects the line of every path; rejects what is no JSON, duplicate keys, recursive aliases and too many values."""

    def __init__(self, lines: dict[YamlPath, int]) -> None:
        self.lines = lines
        self.left = MOST_VALUES

    def visit(self, node: yaml.Node, where: YamlPath, above: list[yaml.Node]) -> None:
        if any(node is parent for parent in above):
            raise _marked("a recursive alias", node)
        self.left -= 1
        if self.left < 0:
            raise _marked(f"more than {MOST_VALUES:,} values, as aliases of aliases multiply", node)
        _check_form(node)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise _marked("a key that is a list or a map", key)
                _check_form(key)
                if key.tag in _SCALARS:
                    key.tag = f"{_CORE}str"  # a key is its text: 1 and 01 are two keys, and JSON has no others
                here, line = (*where, key.value), key.start_mark.line + 1
                if here in self.lines:
                    raise _Twice(here, line, self.lines[here])
                self.lines[here] = line
                self.visit(value, here, [*above, node])
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.lines[*where, index] = value.start_mark.line + 1
                self.visit(value, (*where, index), [*above, node])


_SCALARS = {f"{_CORE}{name}" for name in _FORMS}


def _check_form(node: yaml.Node) -> None:
    """Raises MarkedYAMLError for a value that its tag does not fit, or that JSON does not have.

    Tags of other schemas are left to PyYAML, which refuses them.
    """
    name = node.tag.removeprefix(_CORE)
    if name == node.tag or ":" in name or "/" in name:
        return
    if name in _COLLECTIONS:
        if not isinstance(node, _COLLECTIONS[name]):
            raise _marked(f"found the tag !!{name} on another kind of value", node)
        return
    if name not in _FORMS:
        raise _marked(f"found the tag !!{name}; expected a list, a map, a string, a number, true, false or null", node)
    form, words = _FORMS[name]
    if not isinstance(node, yaml.ScalarNode) or not form.search(node.value):
        raise _marked(f"{_brief(node.value)} is not {words}", node)
    if any("\ud800" <= letter <= "\udfff" for letter in node.value):
        try:  # JSON writes one emoji as two escapes
            node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise _marked(f"found half of a surrogate pair in {_brief(node.value)}; expected text", node) from None
    if name == "float" and "n" not in node.value.lower() and math.isinf(float(node.value)):
        raise _marked(f"{_brief(node.value)} is larger than any number of 64 bits", node)


def _marked(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _brief(value: object) -> str:
    text = ascii(value) if isinstance(value, str) else "a list or a map"
    return text if len(text) <= 80 else f"{text[:77]}..."


def dotted(where: YamlPath) -> str:
    """`("students", 0, "model")` → `students[0].model`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return text.removeprefix(".") or "(the whole file)"


def path_steps(path: str) -> YamlPath:
    """The inverse of `dotted`; `a.0` also means `a[0]`. A mistyped path gives an empty step."""
    return tuple(
        int(step) if step.isdecimal() and len(step) < 10 else step
        for step in re.split(r"\]?\[|\]?\.", path.strip().rstrip("]"))
    )
