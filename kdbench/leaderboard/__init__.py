"""Records to leaderboard. Knows records alone."""

from kdbench.leaderboard.page import leaderboard
from kdbench.leaderboard.render import FORMATS, render
from kdbench.leaderboard.students import render_students, students_table
from kdbench.leaderboard.tables import Board, Row, Table, build

__all__ = ["FORMATS", "Board", "Row", "Table", "build", "leaderboard", "render", "render_students", "students_table"]
