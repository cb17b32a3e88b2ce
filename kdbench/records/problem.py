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
        return f"{_line(self.path)}: {_line(self.what)}\n  found     {_short(self.found)}\n  expected  {_short(self.expected)}"

    @property
    def line(self) -> str:
        """The problem in one line."""
        return f"{_line(self.path)}: {_line(self.what)}: found {_short(self.found)}, expected {_short(self.expected)}"


def _line(text: str) -> str:
    """A name of others with its line feeds visible: what follows them must not look like a message of its own."""
    return text.replace("\n", "\\u000a")


def _short(text: str) -> str:
    text = _line(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
