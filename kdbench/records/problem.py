"""A problem of a record, its files or a bundle."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 160  # characters of a value that are shown


@dataclass(frozen=True)
class Problem:
    """One problem: the file, the part of it, the value found and the value expected."""

    path: str  # for a file in a bundle: BUNDLE:FILE
    what: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}\n  found     {_short(self.found)}\n  expected  {_short(self.expected)}"

    @property
    def line(self) -> str:
        """The problem in one line."""
        return f"{self.path}: {self.what}: found {_short(self.found)}, expected {_short(self.expected)}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
