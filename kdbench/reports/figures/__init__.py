"""A leaderboard in pictures: what retrieval costs, how much teachers counted, how far seeds spread."""

from kdbench.leaderboard.pictures.draw import draw, pictures
from kdbench.leaderboard.pictures.picture import Picture, embedded
from kdbench.leaderboard.pictures.planes import describe, plotted

__all__ = ["Picture", "describe", "draw", "embedded", "pictures", "plotted"]
