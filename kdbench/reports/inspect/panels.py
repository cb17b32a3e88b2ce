"""The panels of a picture, each painted on axes of its own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from kdbench.reports.inspect.curves import Curves, Value
from kdbench.reports.palette import BLACK, COLOURS, GREY, MARKERS, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAIRS = 6  # curves of pairs that can still be told apart


def weights(axes: Axes, curves: Curves) -> None:
    _lines(axes, curves.step, curves.weights)
    share = f"equal share, 1/{len(curves.weights)}"
    axes.axhline(1 / len(curves.weights), color=GREY, linestyle=":", linewidth=1, label=share)
    if min(map(min, curves.weights.values())) >= 0:
        axes.set_ylim(bottom=0)
    _name(axes, "weight", "How much the loss of each teacher counts")


def entropy(axes: Axes, curves: Curves) -> None:
    label = f"entropy ÷ ln {len(curves.weights)}, mean {fmean(curves.evenness):.2f}"
    axes.plot(curves.step, curves.evenness, color=GREY, label=label)
    axes.set_ylim(-0.05, max(1.05, *curves.evenness))
    _name(axes, "evenness", "Entropy of the weights: 1 is equal weights, 0 is one teacher alone")


def cosines(axes: Axes, curves: Curves) -> None:
    if len(curves.cosines) <= PAIRS:
        _lines(axes, curves.step, curves.cosines, first=len(curves.weights))
    else:
        rows = list(zip(*curves.cosines.values(), strict=True))
        band = f"all {len(curves.cosines)} pairs, lowest to highest"
        axes.fill_between(curves.step, [*map(min, rows)], [*map(max, rows)], color=SKY, alpha=0.3, linewidth=0, label=band)
        worst = min(curves.cosines, key=lambda pair: fmean(curves.cosines[pair]))
        shown = {"their mean": [fmean(row) for row in rows], f"{worst}, lowest on average": curves.cosines[worst]}
        _lines(axes, curves.step, shown, [BLACK, SKY])
    low, high = axes.get_ylim()
    low, high = min(low, -0.1), max(high, 0.1)
    conflicts = f"against each other: at {curves.conflicting:.0%}\nof these steps some pair is"
    axes.axhspan(low, 0, color=GREY, alpha=0.15, linewidth=0, label=conflicts)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set_ylim(low, high)
    title = "Whether the teachers agree: cosines of their losses' gradients, by pair, at the last step of each point"
    _name(axes, "cosine", title)


def losses(axes: Axes, curves: Curves) -> None:
    if curves.loss == curves.task:
        shown, title = {"task loss": curves.task}, "What training minimises"
    else:
        shown = {"loss, with all terms": curves.loss, "task loss alone": curves.task}
        title = "What training minimises, and the task's own part of it"
    _lines(axes, curves.step, shown, [BLACK, GREY])
    _name(axes, "loss", title)


def reported(kind: str, group: Mapping[str, Sequence[Value]], axes: Axes, curves: Curves) -> None:
    _lines(axes, curves.step, group, first=_first_colour(group, list(curves.weights)))
    _name(axes, kind, f"What {curves.strategy} reports of itself: {kind}")


def _first_colour(group: Mapping[str, Sequence[Value]], teachers: list[str]) -> int:
    """One figure for each teacher has the teachers' colours; other figures have none of them."""
    theirs = [re.sub(r"^.*[/(]|\)$", "", name) for name in group]
    return 0 if theirs == teachers else len(teachers)


def _lines(
    axes: Axes,
    step: Sequence[int],
    columns: Mapping[str, Sequence[Value]],
    colours: Sequence[str] = COLOURS,
    first: int = 0,
) -> None:
    """Curves with the colours and markers from the `first` on."""
    for place, (name, column) in enumerate(columns.items()):
        values = [math.nan if value is None else value for value in column]
        every = max(1, len(values) // 10)
        axes.plot(
            step,
            values,
            label=name,
            color=colours[(first + place) % len(colours)],
            marker=MARKERS[(first + place) % len(MARKERS)],
            markevery=(place * every // max(1, len(columns)), every),
            markersize=5,
            linewidth=1.5,
        )


def _name(axes: Axes, quantity: str, title: str) -> None:
    axes.set_ylabel(quantity, parse_math=False)
    axes.set_title(title, loc="left", fontsize=9, parse_math=False)
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    columns = math.ceil(len(axes.get_legend_handles_labels()[1]) / 12)
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False, fontsize=8, ncols=columns)
    for text in legend.get_texts():
        text.set_parse_math(False)
