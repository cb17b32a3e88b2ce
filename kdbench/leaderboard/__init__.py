"""Records to leaderboard. Knows records alone."""

from kdbench.leaderboard.render import FORMATS, render
from kdbench.leaderboard.tables import Board, Row, Table, build

__all__ = ["FORMATS", "Board", "Row", "Table", "build", "render"]
