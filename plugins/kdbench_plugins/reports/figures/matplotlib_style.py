"""The style of all figures, and the settings that make equal figures equal files."""

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
WIDTH = 9.0  # inches: at 150 dpi 1.5 times the width of a README, in which 9 points are still legible
DPI = 150

_SETTINGS = {
    "svg.hashsalt": "kdbench",
    # Letters as outlines: labels were placed with this font's widths and would overlap in another font, and pictures
    # of a README cannot load fonts. The text itself is in the description.
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
    """A context with matplotlib's defaults and these settings, without a user's matplotlibrc. Make and save figures in it."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def look(place: int) -> tuple[str, str]:
    """Colour and marker of the n-th kind; the first 56 differ."""
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def stroke(place: int) -> tuple[str, Dashes]:
    """Colour and dashes of the n-th curve; neighbours differ also without colour."""
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
    """Computes the layout in pixels, which is known only after everything but the labels has been drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    figure.draw_without_rendering()


def legend(figure: Figure, entries: Sequence[tuple[Artist, str]], columns: int) -> None:
    """Draws the legend below the axes. Sets names afterwards, because matplotlib leaves out those that begin with `_`."""
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
