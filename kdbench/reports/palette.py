"""Colours and markers of all plots, on paper and on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Okabe and Ito's palette, which colour-blind readers can tell apart, without its yellow, which is invisible on white.
# Markers tell series apart without any colour.
BLACK, GREY, LIGHT, SKY, BLUE, RED = "#000000", "#707070", "#B8B8B8", "#56B4E9", "#0072B2", "#D55E00"
GREEN, PINK, ORANGE = "#009E73", "#CC79A7", "#E69F00"
COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

Role = Literal[
    "front",
    "open",
    "behind",
    "mean",
    "seed",
    "complete",
    "pruned",
    "diverged",
    "failed",
    "pareto",
    "dominated",
    "share",
    "best",
    "gain",
    "loss",
    "same",
]


@dataclass(frozen=True)
class Look:
    """How a role is drawn: colour and marker for matplotlib, CSS variable and symbol for plotly. Hollow marks have no fill."""

    colour: str
    marker: str
    variable: str
    symbol: str
    hollow: bool = False


LOOKS: dict[Role, Look] = {
    "front": Look(BLUE, "D", "--front", "diamond"),
    "open": Look(SKY, "o", "--other", "circle-open"),
    "behind": Look(LIGHT, "s", "--other", "x-thin-open"),
    "mean": Look(BLUE, "D", "--front", "diamond"),
    "seed": Look(RED, "o", "--dot", "circle", hollow=True),
    "complete": Look(BLUE, "o", "--front", "circle"),
    "pruned": Look(GREY, "v", "--other", "triangle-down-open", hollow=True),
    "diverged": Look(RED, "X", "--line-2", "x"),
    "failed": Look(BLACK, "s", "--line-5", "square-open", hollow=True),
    "pareto": Look(BLUE, "D", "--front", "diamond"),
    "dominated": Look(GREY, "o", "--other", "circle-open", hollow=True),
    "share": Look(BLUE, "s", "--front", "square"),
    "best": Look(GREEN, "", "--line-3", ""),
    "gain": Look(GREEN, "D", "--line-3", "diamond"),
    "loss": Look(RED, "v", "--line-2", "triangle-down"),
    "same": Look(BLUE, "s", "--front", "square"),
}
