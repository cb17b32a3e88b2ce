"""Names that come with records, which anyone may have written, as text that can be drawn, and as parts of file names."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Sequence

from kdbench.reports.board import Row

UNSEEN = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """One line without control characters, changes of direction and what no XML or UTF-8 can hold."""
    one_line = " ".join(text.split())
    return "".join(UNSEEN if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Cn") else one for one in one_line)


def elided(text: str, width: int) -> str:
    """The same, its middle left out where it has more than `width` characters: names that begin alike differ at the end."""
    text = clean(text)
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def wrapped(text: str, width: int, lines: int = 3) -> list[str]:
    """As many lines at most, of at most `width` characters each."""
    return textwrap.wrap(clean(text), width, max_lines=lines, placeholder=" …")


def slug(text: str, width: int = 24) -> str:
    """Small letters, digits and single hyphens alone; may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:width].strip("-")


def common_team(rows: Sequence[Row]) -> str:
    """The teachers of all rows that have a strategy, where these are the same; else empty."""
    teams = {row.teachers for row in rows if row.strategy}
    return teams.pop() if len(teams) == 1 else ""


def labels(rows: Sequence[Row], width: int, student: bool = False) -> dict[str, str]:
    """Row.id → its name, with its student where asked for and without the team that all share.

    No two rows of one student have the same.
    """
    team = common_team(rows)
    found = {}
    for row in rows:
        name = row.name.removesuffix(f" of {team}") if team and row.strategy else row.name
        found[row.id] = elided(f"{row.student}: {name}" if student else name, width)
    taken = Counter((row.student, found[row.id]) for row in rows)
    return {row.id: found[row.id] + ("" if taken[row.student, found[row.id]] == 1 else f" ({row.id[:4]})") for row in rows}
