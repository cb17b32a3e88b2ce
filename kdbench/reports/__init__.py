"""Records to leaderboard. Knows records alone."""

from kdbench.reports.board import Board, Measured, Row, Table, Value
from kdbench.reports.page import leaderboard
from kdbench.reports.render import FORMATS, render
from kdbench.reports.students import render_students, students_table
from kdbench.reports.tables import build

__all__ = [
    "FORMATS",
    "Board",
    "Measured",
    "Row",
    "Table",
    "Value",
    "build",
    "leaderboard",
    "render",
    "render_students",
    "students_table",
]
