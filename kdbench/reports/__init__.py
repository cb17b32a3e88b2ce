"""Records to leaderboard: tables of comparable rows as plain values, and their text. Knows records and statistics alone.

Names are imported when they are used: a plan of runs is a table, too, and needs no statistics.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdbench.reports.board import Board, Cost, Row, Table
    from kdbench.reports.board_text import render
    from kdbench.reports.build_board import build
    from kdbench.reports.leaderboard_text import leaderboard
    from kdbench.reports.student_table import students_table
    from kdbench.reports.student_text import render_students
    from kdbench.reports.text_table import FORMATS
    from kdbench.reports.verdict import Verdict
    from kdbench.statistics.value import Value

__all__ = [
    "FORMATS",
    "Board",
    "Cost",
    "Row",
    "Table",
    "Value",
    "Verdict",
    "build",
    "leaderboard",
    "render",
    "render_students",
    "students_table",
]

_MODULES = {
    "FORMATS": "kdbench.reports.text_table",
    "Value": "kdbench.statistics.value",
    "Verdict": "kdbench.reports.verdict",
    "build": "kdbench.reports.build_board",
    "leaderboard": "kdbench.reports.leaderboard_text",
    "render": "kdbench.reports.board_text",
    "render_students": "kdbench.reports.student_text",
    "students_table": "kdbench.reports.student_table",
}  # of all others, kdbench.reports.board


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(_MODULES.get(name, "kdbench.reports.board")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
