"""Collects diagnostics of a suite and reports them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kdbench.contracts.names import EXPECTED
from kdbench.errors import ParameterError, SuiteError, nearest, yaml_hint
from kdbench.suite.yaml_file import YamlPath, dotted

# pydantic's names of types → words for suite files
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "missing": "a value; it has no default",
}


@dataclass
class Diagnostics:
    """Collects diagnostics of one file; `raise_if_any` reports them together, in the order of the file."""

    source: str
    lines: dict[YamlPath, int]
    overrides: dict[YamlPath, str] = field(default_factory=dict)  # path → the override that set it
    files: dict[YamlPath, str] = field(default_factory=dict)  # path → the preset that it comes from
    found: list[tuple[int, str]] = field(default_factory=list)
    note: str = ""  # closes the report
    _inside: tuple[YamlPath, frozenset[str]] = ((), frozenset())

    def add(self, where: YamlPath, found: object, expected: str, hint: str = "") -> None:
        """Adds a diagnostic. `hint` names the nearest valid name; it is left out if it only repeats `expected`."""
        parts = [f"  found     {_show(found)}", f"  expected  {expected}"]
        if hint and not hint.startswith("known:"):
            parts.append(f"  {hint}")
        self._note(where, "\n".join(parts))

    def add_error(self, where: YamlPath, error: Exception) -> None:
        """Adds an error raised by a plugin's check or constructor, at the value that it names, if it names one."""
        if isinstance(error, ParameterError):
            self.add((*where, *error.path), error.found, error.expected, error.hint)
        else:
            self._note(where, f"  {error}")

    def add_validation(self, where: YamlPath, error: ValidationError, value: object, known: Iterable[str] = ()) -> None:
        """Adds every error that pydantic found in `value` at the path `where`; `known` are its valid keys."""
        names = sorted(known)
        for item in error.errors():
            here = (*where, *_path(item["loc"], value, item["type"]))
            if item["type"] == "extra_forbidden" and len(item["loc"]) == 1:
                expected = f"one of {', '.join(names)}" if names else "nothing here; it takes no parameters"
                self.add(here, here[-1], expected, nearest(here[-1], names))
            elif item["type"] == "extra_forbidden":
                self.add(here, here[-1], "no such key")
            else:
                found = NOTHING if item["type"] == "missing" else item["input"]
                truth = item["type"] == "bool_type"
                hint = yaml_hint(found, truth) if truth or item["type"] in ("int_type", "float_type") else ""
                self.add(here, found, _expected(item), hint)

    def add_apart(self, where: YamlPath, apart: Diagnostics) -> None:
        """Adds errors in a value that is not in the file but derived from the one at `where`."""
        for _, text in apart.found:
            self._note(where, text.partition("\n")[2])
        self.note = self.note or apart.note

    @contextmanager
    def within(self, where: YamlPath, keys: Iterable[str]) -> Iterator[None]:
        """Within this context, diagnostics on these keys are reported at the same keys below `where`, those of a variant."""
        self._inside = where, frozenset(keys)
        yield
        self._inside = (), frozenset()

    def set_by(self, where: YamlPath, override: str) -> None:
        """Marks the value at `where`, and everything below it, as set by an override and without a line."""
        self.lines = {path: line for path, line in self.lines.items() if path[: len(where)] != where}
        self.overrides[where] = override

    def raise_if_any(self) -> None:
        if self.found:
            texts = dict.fromkeys(text for _, text in sorted(self.found, key=lambda item: item[0]))
            raise SuiteError("\n".join([*texts, *([self.note] if self.note else [])]))

    def _note(self, where: YamlPath, text: str) -> None:
        prefix, keys = self._inside
        if where and where[0] in keys:
            where = (*prefix, *where)
        position, line, hint = self._place(where)
        self.found.append((line, f"{position}: {dotted(where)}\n{text}{hint}"))

    def _place(self, where: YamlPath) -> tuple[str, int, str]:
        """The override or the line of the longest prefix of the path that has one, and how to replace what a preset gave. An
        entry with values from overrides only is attributed to them."""
        for length in range(len(where), 0, -1):
            path = where[:length]
            if path in self.overrides:
                return f"override {self.overrides[path]}", 0, ""
            if path in self.lines:
                return f"{self.files.get(path, self.source)}:{self.lines[path]}", self.lines[path], self._replacing(path)
            inner = [override for key, override in self.overrides.items() if key[:length] == path]
            if inner:
                return f"override {inner[0]}", 0, ""
        return (f"{self.source}:1" if self.lines else self.source), 1, ""  # values from a command line have no lines

    def _replacing(self, path: YamlPath) -> str:
        """The key that replaces a value of a preset, which people may not own; lists are replaced whole."""
        if path not in self.files:
            return ""
        key = tuple(takewhile(lambda step: isinstance(step, str), path))
        return f"\n  from a preset; `{dotted(key)}` in {self.source} would replace it"


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()


def _path(loc: tuple[int | str, ...], value: Any, kind: str) -> YamlPath:
    """pydantic's location without the steps that it adds for keys and unions."""
    path: list[int | str] = []
    for position, step in enumerate(loc):
        inside = step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value))
        if inside:
            value = value[step]
        elif not (kind == "missing" and position == len(loc) - 1):
            continue
        path.append(step)
    return tuple(path)


def _expected(item: ErrorDetails) -> str:
    """What pydantic expected in place of an item, in words for suite files."""
    if item["type"] == "string_pattern_mismatch":
        return EXPECTED.get(item["ctx"]["pattern"], _sentence(item["msg"]))
    return _EXPECTED.get(item["type"], _sentence(item["msg"]))


def _sentence(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
