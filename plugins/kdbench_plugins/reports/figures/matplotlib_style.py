"""How all figures look, and what makes their bytes depend on nothing but what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from kdbench.reports.palette import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Dashes = Literal["-", "--", "-."]
WIDTH = 9.0  # inches: at 150 dpi half as wide again as a README, where 9 points are still legible
DPI = 150

_SETTINGS = {
    "svg.hashsalt": "kdbench",
    # Letters as outlines: a label that was placed with this font's widths stays clear of its neighbours wherever it is
    # shown, as a README's pictures bring no fonts of their own. The text itself is in the description.
    "svg.fonttype": "path",
    "font.family": ["DejaVu Sans"],
    "figure.dpi": DPI,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def settings() -> Iterator[None]:
    """matplotlib's defaults with these settings, whatever a user's matplotlibrc says; figures are made and saved in it."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def look(place: int) -> tuple[str, str]:
    """Colour and marker of the n-th of many: the first 56 all differ."""
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def stroke(place: int) -> tuple[str, Dashes]:
    """Colour and dashes of the n-th curve, so that neighbours differ without colour too."""
    dashes: tuple[Dashes, ...] = ("-", "--", "-.")
    return COLOURS[place % len(COLOURS)], dashes[place % len(dashes)]


def headed(figure: Figure, lines: Sequence[str]) -> None:
    """A title at the top left, its first line in bold; the axes stay below it."""
    height = figure.get_figheight()
    figure.text(0.01, 1 - 0.08 / height, lines[0], fontsize=10.5, fontweight="bold", va="top", in_layout=False)
    rest = "\n".join(lines[1:])
    figure.text(0.01, 1 - 0.3 / height, rest, fontsize=8.5, linespacing=1.4, va="top", parse_math=False, in_layout=False)
    top = 0.36 + 0.17 * (len(lines) - 1)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - top / height))


def laid_out(figure: Figure) -> None:
    """Gives everything its place in pixels, which is known only after all but the labels has been drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.draw_without_rendering()


def legend(figure: Figure, entries: Sequence[tuple[Artist, str]], columns: int) -> None:
    """Below the axes. Names are set after matplotlib has made the legend, which leaves out those that begin with `_`."""
    box = figure.legend(
        [artist for artist, _ in entries],
        [f"entry {place}" for place in range(len(entries))],
        loc="outside lower center",
        ncols=max(1, min(columns, len(entries))),
        frameon=False,
    )
    for text, (_, name) in zip(box.get_texts(), entries, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def bare(axes: Axes, direction: str) -> None:
    """No ticks and no grid along an axis (`x` or `y`) that measures nothing."""
    axes.tick_params(axis=direction, length=0)  # type: ignore[arg-type]
    axes.grid(False, axis=direction)  # type: ignore[arg-type]
