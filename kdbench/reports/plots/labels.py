"""Names that come with records, which anyone may have written, as text that can be drawn, and as parts of file names."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Sequence

from kdbench.contracts import Metric
from kdbench.reports.board import Row
from kdbench.statistics.value import Value

UNSEEN = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """One line without control characters, changes of direction and what XML or UTF-8 cannot hold."""
    one_line = " ".join(text.split())
    return "".join(UNSEEN if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Cn") else one for one in one_line)


def elided(text: str, width: int) -> str:
    """The same text; beyond `width` characters the middle is left out, as names that begin alike differ at the end."""
    text = clean(text)
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def wrapped(text: str, width: int, lines: int = 3) -> list[str]:
    """At most `lines` lines of at most `width` characters each."""
    return textwrap.wrap(clean(text), width, max_lines=lines, placeholder=" …")


def file_part(text: str, width: int = 24) -> str:
    """Small letters, digits and single hyphens alone; may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:width].strip("-")


def common_team(rows: Sequence[Row]) -> str:
    """The teachers of the rows that have a strategy, if they are the same for all; else empty."""
    teams = {row.teachers for row in rows if row.strategy}
    return teams.pop() if len(teams) == 1 else ""


def row_labels(rows: Sequence[Row], width: int, student: bool = False) -> dict[str, str]:
    """Row.id → its name, with its student if asked for and without the team that all share.

    No two rows of one student share a label.
    """
    team = common_team(rows)
    found = {}
    for row in rows:
        name = row.name.removesuffix(f" of {team}") if team and row.strategy else row.name
        found[row.id] = elided(f"{row.student}: {name}" if student else name, width)
    taken = Counter((row.student, found[row.id]) for row in rows)
    return {row.id: found[row.id] + ("" if taken[row.student, found[row.id]] == 1 else f" ({row.id[:4]})") for row in rows}


def metric_label(metric: Metric) -> str:
    """For an axis: `RMSE (K), lower is better`."""
    return f"{metric.head}{'' if metric.higher_is_better else ', lower is better'}"


def interval_text(metric: Metric, value: Value) -> str:
    """The ends of an interval in words."""
    return f"95 % interval {metric.text(value.low)} to {metric.text(value.high)}"
