"""All pictures of a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kdbench.contracts.report import Reported
from kdbench.reports.board import Board
from kdbench.reports.pareto import Plane, planes
from kdbench.reports.plots import cost_plane, regime_map, seed_spread, teacher_weights
from kdbench.reports.regimes import maps
from kdbench_plugins.reports.figures.picture_files import Picture


class Figures:
    """Writes plots as PNG and SVG files into a folder, which is created; other files in it are kept."""

    def write(self, material: Reported, target: Path) -> list[Path]:
        """See `draw`."""
        return draw(target, material.board, planes(material.board, material.profiles))


def draw(folder: Path, board: Board, planes: Sequence[Plane]) -> list[Path]:
    """Writes each picture as PNG and SVG and returns the paths.

    Raises KdbenchError if a file cannot be written, RecordError if a run's trace cannot be read.
    """
    return [path for picture in pictures(board, planes) for path in picture.save(folder)]


def pictures(board: Board, planes: Sequence[Plane]) -> list[Picture]:
    """The pictures of a board: the map of regimes, each plane, the seeds of each table, and its weights if runs have traces.

    Draws nothing yet.
    """
    plots = [regime_map(found) for found in maps(board.regimes)]
    plots += [cost_plane(plane) for plane in planes]
    for table in board.tables:
        if table.rows:
            plots += [seed_spread(table), *teacher_weights(table)]
    return [Picture.of(plot) for plot in plots]
