"""All pictures of a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kdbench.reports.board import Board
from kdbench.reports.figures import planes as drawn_planes
from kdbench.reports.figures.picture import Picture
from kdbench.reports.figures.seeds import seed_picture
from kdbench.reports.figures.weights import weight_pictures
from kdbench.reports.pareto import Plane


def draw(folder: Path, board: Board, planes: Sequence[Plane]) -> list[Path]:
    """Writes each picture as PNG and SVG and returns the paths. The folder is made; what else lies in it stays.

    Raises KdbenchError where a file cannot be written, RecordError where a run's series cannot be read.
    """
    return [path for picture in pictures(board, planes) for path in picture.save(folder)]


def pictures(board: Board, planes: Sequence[Plane]) -> list[Picture]:
    """Each plane; of each table its seeds, and its weights where runs have series. Nothing is drawn yet."""
    found = [drawn_planes.plane_picture(plane) for plane in planes]
    for table in board.tables:
        if table.rows:
            found += [seed_picture(table), *weight_pictures(table)]
    return found
