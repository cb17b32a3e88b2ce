"""The panels of a figure, each painted on axes of its own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from kdbench.reports.inspect.curves import Curves
from kdbench.reports.palette import BLACK, COLOURS, GREY, MARKERS, SKY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAIRS = 6  # curves of pairs that can still be distinguished


def weights(axes: Axes, curves: Curves) -> None:
    _lines(axes, curves.trace.step, curves.trace.weights)
    equal = f"equal weights, 1/{len(curves.trace.weights)}"
    axes.axhline(1 / len(curves.trace.weights), color=GREY, linestyle=":", linewidth=1, label=equal)
    if min(map(min, curves.trace.weights.values())) >= 0:
        axes.set_ylim(bottom=0)
    _name(axes, "weight", "Weight of each teacher's loss")


def entropy(axes: Axes, curves: Curves) -> None:
    label = f"entropy ÷ ln {len(curves.trace.weights)}, mean {fmean(curves.evenness):.2f}"
    axes.plot(curves.trace.step, curves.evenness, color=GREY, label=label)
    axes.set_ylim(-0.05, max(1.05, *curves.evenness))
    _name(axes, "evenness", "Entropy of the weights: 1 for equal weights, 0 for one teacher alone")


def cosines(axes: Axes, curves: Curves) -> None:
    if len(curves.trace.cosines) <= PAIRS:
        _lines(axes, curves.trace.step, curves.trace.cosines, first=len(curves.trace.weights))
    else:
        rows = list(zip(*curves.trace.cosines.values(), strict=True))
        band = f"all {len(curves.trace.cosines)} pairs, lowest to highest"
        axes.fill_between(
            curves.trace.step, [*map(min, rows)], [*map(max, rows)], color=SKY, alpha=0.3, linewidth=0, label=band
        )
        worst = min(curves.trace.cosines, key=lambda pair: fmean(curves.trace.cosines[pair]))
        shown = {"their mean": [fmean(row) for row in rows], f"{worst}, lowest on average": curves.trace.cosines[worst]}
        _lines(axes, curves.trace.step, shown, [BLACK, SKY])
    bottom, top = axes.get_ylim()
    bottom, top = min(bottom, -0.1), max(top, 0.1)
    conflicts = f"conflict: some pair is\nnegative at {curves.conflicting:.0%} of steps"
    axes.axhspan(bottom, 0, color=GREY, alpha=0.15, linewidth=0, label=conflicts)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set_ylim(bottom, top)
    title = "Cosines of the teachers' gradients, by pair, at the last step of each point"
    _name(axes, "cosine", title)


def losses(axes: Axes, curves: Curves) -> None:
    if curves.trace.loss == curves.trace.task:
        shown, title = {"task loss": curves.trace.task}, "What training minimises"
    else:
        shown = {"loss, with all terms": curves.trace.loss, "task loss alone": curves.trace.task}
        title = "What training minimises, and the task loss in it"
    _lines(axes, curves.trace.step, shown, [BLACK, GREY])
    _name(axes, "loss", title)


def reported(kind: str, group: Mapping[str, Sequence[float | None]], axes: Axes, curves: Curves) -> None:
    _lines(axes, curves.trace.step, group, first=_first_colour(group, list(curves.trace.weights)))
    _name(axes, kind, f"Reported by {curves.strategy}: {kind}")


def _first_colour(group: Mapping[str, Sequence[float | None]], teachers: list[str]) -> int:
    """One value for each teacher has the teachers' colours; other values have none of them."""
    theirs = [re.sub(r"^.*[/(]|\)$", "", name) for name in group]
    return 0 if theirs == teachers else len(teachers)


def _lines(
    axes: Axes,
    step: Sequence[int],
    columns: Mapping[str, Sequence[float | None]],
    colours: Sequence[str] = COLOURS,
    first: int = 0,
) -> None:
    """Curves with the colours and markers from the `first` on."""
    for index, (name, column) in enumerate(columns.items()):
        values = [math.nan if value is None else value for value in column]
        every = max(1, len(values) // 10)
        axes.plot(
            step,
            values,
            label=name,
            color=colours[(first + index) % len(colours)],
            marker=MARKERS[(first + index) % len(MARKERS)],
            markevery=(index * every // max(1, len(columns)), every),
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
