"""The whole leaderboard as text: what regimes advise, the summary of students, the tables of runs, and what
the students cost."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from kdbench.records.profile import Profile
from kdbench.reports.board import Board
from kdbench.reports.board_text import render
from kdbench.reports.regimes import advice, maps, plain_maps
from kdbench.reports.student_table import students_table
from kdbench.reports.student_text import render_students
from kdbench.reports.summary import summaries
from kdbench.reports.summary_text import plain_summary, render_summary
from kdbench.reports.text_table import Format, escaped, wrapped


def leaderboard(
    board: Board,
    profiles: Iterable[Profile],
    style: Format = "table",
    width: int | None = None,
    *,
    wide: bool = False,
    names: Sequence[str] = (),
) -> str:
    """CSV has the runs alone, as its rows are of one kind; JSON has all, the rest under the keys `summary`, `students` and
    `regimes`.

    With `names`, only the tables of runs are shown, with these columns; see `render` for these and for widths.
    """
    profiles = list(profiles)
    shown = render(board, style, width, wide=wide, names=names)
    if style == "csv" or names:
        return shown
    students, found = students_table(profiles), summaries(board, profiles)
    if style == "json":
        whole = json.loads(shown) | {"summary": list(map(plain_summary, found))}
        whole |= {"students": json.loads(render_students(students, style))} if students else {}
        whole |= {"regimes": plain_maps(board.regimes)} if board.regimes else {}
        return json.dumps(whole, indent=1, ensure_ascii=False)
    first = [wrapped(escaped(advice(regimes), style), style, width) for regimes in maps(board.regimes)]
    first += [render_summary(summary, style, width, wide=wide) for summary in found]
    last = [render_students(students, style, width, wide=wide)] if students else []
    return "\n\n".join([*first, shown, *last])
