"""Comma- or tab-separated text into records, as RFC 4180 defines it and no more loosely.

The standard library's `csv`, even with `strict=True`, takes quotation marks inside a plain field, and its limit on the length
of a field is global to the process.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')
BREAK = re.compile(r"\r?\r\n|\r|\n")  # CR CR LF: text mode on Windows writes the LF of CR LF as CR LF
# In text/tab-separated-values nothing is quoted, in what most programs write between tabs it is; a file does not say which.
OF_TABS = (
    ". Between tabs, too, quotation marks quote. If this file means them as plain letters, write it anew: "
    r"pandas.read_csv(FILE, sep='\t', quoting=3).to_csv(FILE, sep='\t', index=False)"
)
PLAIN = {delimiter: re.compile(rf'[^"{delimiter}\r\n]*') for delimiter in (",", "\t")}


class CsvFault(ValueError):
    """Text that is not CSV."""


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record, the lines of text it was read from, and the number of the first of them, from 1."""

    fields: list[str]
    lines: list[str]
    line: int

    def swallows(self, delimiter: str, words: Collection[str]) -> bool:
        """Whether it holds several records, because a quotation mark that opens a field is never closed.

        The next quotation mark then closes the field, some records later, and what lies between is one field of several lines.
        Two of them then hold one of `words`: values of which every record has one, such as names of splits.
        """
        lines = [line.replace('"', "").split(delimiter) for line in self.lines]
        return sum(any(field.strip().lower() in words for field in line) for line in lines) > 1


def records(text: str, delimiter: str) -> Iterator[Record]:
    """Yields the records of a text without empty lines. Raises CsvFault, with the line, where the text breaks RFC 4180."""
    start, line, feeds = 0, 1, "\n" in text
    while start < len(text):
        fields: list[str] = []
        place = start
        while not fields or text.startswith(delimiter, place):
            try:
                field, place = _field(text, place + bool(fields), delimiter)
            except CsvFault as fault:
                raise CsvFault(f"{fault}{OF_TABS if delimiter != ',' else ''}") from None
            fields.append(field)
        lines = BREAK.split(text[start:place])
        if place > start:
            yield Record(fields, lines, line)
        line += len(lines)
        ends = BREAK.match(text, place)
        start = ends.end() if ends else len(text)
        if ends and ends[0] == "\r" and feeds:  # Python's own writer leaves it without quotation marks
            raise _fault(text, place, f"a carriage return after {_shown(text, place - 12)}", "quote the field that holds it")


def _field(text: str, start: int, delimiter: str) -> tuple[str, int]:
    """The field that begins at `start`, and where it ends: at a delimiter, a line break or the end."""
    if not text.startswith('"', start):
        found = PLAIN[delimiter].match(text, start)
        end = found.end() if found else start
        if text.startswith('"', end):
            raise _fault(text, end, f"a quotation mark inside the plain field {_shown(text, start)}", 'write "a 5"" pipe"')
        return text[start:end], end
    closed = QUOTED.match(text, start)
    if closed is None:
        raise _fault(text, start, f"the quoted field {_shown(text, start)}, which is never closed", "close it")
    end = closed.end()
    if text[end : end + 1] not in ("", delimiter, "\r", "\n"):
        hint = 'write quotation marks inside a quoted field twice: "a ""nice"" dog"'
        raise _fault(text, end, f"{_shown(text, end)} after the quoted field {_shown(text, start)}", hint)
    return closed[1].replace('""', '"'), end


def _fault(text: str, place: int, found: str, hint: str) -> CsvFault:
    line = len(BREAK.findall(text, 0, place)) + 1
    return CsvFault(f"line {line}: found {found}; expected fields as RFC 4180 writes them. {hint[0].upper()}{hint[1:]}")


def _shown(text: str, start: int) -> str:
    start = max(start, 0)
    shown = text[start : start + 24].partition("\n")[0].rstrip("\r")
    return f"{shown!r}{'…' if start + len(shown) < len(text) else ''}"
