"""A leaderboard in pictures: what retrieval costs, how much teachers counted, how far seeds spread."""

from kdbench.reports.figures.draw import draw, pictures
from kdbench.reports.figures.picture import Picture, embedded
from kdbench.reports.figures.planes import describe, plotted

__all__ = ["Picture", "describe", "draw", "embedded", "pictures", "plotted"]
