"""Records to leaderboard. Knows records alone."""

from kdbench.leaderboard.board import Board, Measured, Row, Table, Value
from kdbench.leaderboard.page import leaderboard
from kdbench.leaderboard.render import FORMATS, render
from kdbench.leaderboard.students import render_students, students_table
from kdbench.leaderboard.tables import build

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
