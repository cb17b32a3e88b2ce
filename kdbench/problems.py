"""What is wrong with a suite, gathered so that one reading shows all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from kdbench.errors import SuiteError, nearest
from kdbench.yamlfile import Where, dotted

# pydantic's words for a type, in the words of a suite file
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "missing": "a value; it has no default",
}


@dataclass
class Problems:
    """Collects problems of one file; `raise_if_any` reports them together, in the order of the file."""

    source: str
    lines: dict[Where, int]
    overrides: dict[Where, str] = field(default_factory=dict)  # path → the override that set it
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, where: Where, found: object, expected: str, hint: str = "") -> None:
        place, line = self._place(where)
        parts = [f"{place}: {dotted(where)}", f"  found     {_show(found)}", f"  expected  {expected}"]
        if hint:
            parts.append(f"  {hint}")
        self.found.append((line, "\n".join(parts)))

    def add_validation(self, where: Where, error: ValidationError, known: Iterable[str] = ()) -> None:
        """Adds every error that pydantic found in the value at `where`, whose keys are `known`."""
        names = list(known)
        for item in error.errors():
            here = (*where, *_clean(item["loc"]))
            if item["type"] == "extra_forbidden":
                siblings = names if len(item["loc"]) == 1 else []
                expected = f"one of {', '.join(sorted(siblings))}" if siblings else "no such key"
                self.add(here, here[-1], expected, nearest(here[-1], siblings) if siblings else "")
            else:
                found = "nothing" if item["type"] == "missing" else item["input"]
                self.add(here, found, _EXPECTED.get(item["type"], _sentence(item["msg"])))

    def raise_if_any(self) -> None:
        if self.found:
            raise SuiteError("\n".join(text for _, text in sorted(self.found, key=lambda item: item[0])))

    def _place(self, where: Where) -> tuple[str, int]:
        for length in range(len(where), -1, -1):
            if where[:length] in self.overrides:
                return f"override {self.overrides[where[:length]]}", 0
            if where[:length] in self.lines:
                return f"{self.source}:{self.lines[where[:length]]}", self.lines[where[:length]]
        return self.source, 0


def _clean(loc: tuple[int | str, ...]) -> Where:
    """pydantic's location without the markers it adds for keys and unions."""
    return tuple(step for step in loc if step != "[key]")


def _sentence(message: str) -> str:
    return message.removeprefix("Input should be ").removeprefix("Value error, ")


def _show(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) or value != "nothing" else value
    return text if len(text) <= 120 else text[:117] + "..."
