"""Plots of a board and of studies as plain values, one module for each kind; report plugins paint them."""

from kdbench.reports.plots.cost_plane import cost_plane
from kdbench.reports.plots.model import Axis, Bars, Level, Line, Mark, Panel, Plot, Points
from kdbench.reports.plots.regime_map import regime_map
from kdbench.reports.plots.seed_spread import seed_spread
from kdbench.reports.plots.teacher_weights import teacher_weights

__all__ = [
    "Axis",
    "Bars",
    "Level",
    "Line",
    "Mark",
    "Panel",
    "Plot",
    "Points",
    "cost_plane",
    "regime_map",
    "seed_spread",
    "teacher_weights",
]
