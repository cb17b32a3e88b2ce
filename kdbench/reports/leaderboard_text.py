"""The whole leaderboard as text: the tables of runs, and below them what the students cost."""

from __future__ import annotations

import json
from collections.abc import Iterable

from kdbench.records.profile import Profile
from kdbench.reports.board import Board
from kdbench.reports.board_text import Format, render
from kdbench.reports.student_table import students_table
from kdbench.reports.student_text import render_students


def leaderboard(board: Board, profiles: Iterable[Profile], style: Format = "table", width: int | None = None) -> str:
    """CSV has the runs alone, as its rows are of one kind; JSON has the students under the key `students`."""
    students = students_table(profiles)
    shown = render(board, style, width)
    if style == "csv" or not students:
        return shown
    if style == "json":
        whole = json.loads(shown) | {"students": json.loads(render_students(students, style))}
        return json.dumps(whole, indent=1, ensure_ascii=False)
    return f"{shown}\n\n{render_students(students, style, width)}"
