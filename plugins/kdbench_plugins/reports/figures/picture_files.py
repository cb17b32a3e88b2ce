"""A plot as PNG and SVG files that also contain its data as text."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from kdbench.errors import KdbenchError
from kdbench.reports.plots.labels import clean
from kdbench.reports.plots.model import Plot
from kdbench.storage.atomic import write_bytes
from kdbench_plugins.reports.figures.matplotlib_style import DPI, settings
from kdbench_plugins.reports.figures.painter import paint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


@dataclass(frozen=True)
class Picture:
    """A plot to be written. `stem` is the file name without suffix: letters, digits, hyphens. `alt` describes it in a sentence.

    `data` holds the plotted values as lines of text. Both files contain it: `embedded` can then check that they show the
    current records without comparing outlines and pixels, which depend on the version of matplotlib.
    """

    stem: str
    title: str
    alt: str
    data: str
    figure: Callable[[], Figure]

    @classmethod
    def of(cls, plot: Plot) -> Picture:
        """Prepares the picture of a plot; draws nothing yet."""
        return cls(plot.stem, clean(plot.title), plot.alt, plot.data, partial(paint, plot))

    def save(self, folder: Path) -> list[Path]:
        """Writes PNG and SVG. The same picture gives the same bytes. Raises KdbenchError if they cannot be written."""
        paths = []
        about = {"Title": self.title, "Description": self.data}
        with settings(), warnings.catch_warnings():
            # Characters missing in the font are drawn as boxes; the description has them as text.
            warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
            figure = self.figure()
            for suffix, left_out in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
                stream = io.BytesIO()
                figure.savefig(stream, format=suffix, dpi=DPI, metadata={**about, **left_out})
                path = folder / f"{self.stem}.{suffix}"
                try:
                    paths.append(write_bytes(path, stream.getvalue()))
                except OSError as error:
                    raise KdbenchError(f"{path}: cannot write the picture ({error})") from error
        return paths


def embedded(picture: Path) -> str:
    """The data in an SVG or PNG file. Raises KdbenchError if it cannot be read or has none."""
    try:
        if picture.suffix == ".png":
            from PIL import Image

            with Image.open(picture) as image:
                found = image.info.get("Description")
        else:
            found = ElementTree.parse(picture).getroot().findtext(f".//{_DESCRIPTION}")
    except (OSError, ElementTree.ParseError) as error:
        raise KdbenchError(f"{picture}: cannot read the picture ({error})") from error
    if not found:
        raise KdbenchError(f"{picture}: it does not contain its data; draw it again")
    return str(found)
