"""The legend of several plots of one kind, as text of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdbench.reports.palette import LOOKS
from kdbench.reports.plots.model import Panel, series_drawn

SIGNS = {"diamond": "◆", "triangle-down": "▼", "square": "■", "circle-open": "○"}  # of plotly's symbols


@dataclass(frozen=True)
class Entry:
    """A sign in the colour of a CSS variable, and what it stands for."""

    sign: str
    variable: str
    label: str


def shared_legend(panels: Sequence[Panel]) -> list[Entry]:
    """An entry for each series that has a mark in any panel; empty if there is one alone."""
    looks = [(LOOKS[points.role], points.label) for points in series_drawn(panels)]
    return [Entry(SIGNS[look.symbol], look.variable, label) for look, label in looks] if len(looks) > 1 else []
