"""Records to leaderboard: tables of comparable rows as plain values, and their text. Knows records and statistics alone."""

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
