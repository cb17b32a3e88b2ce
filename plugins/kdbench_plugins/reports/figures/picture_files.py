"""A picture before it is drawn, and how it is written: as PNG and SVG, with the figures it shows inside as text."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from kdbench.errors import KdbenchError
from kdbench.reports.figures.style import DPI, settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


@dataclass(frozen=True)
class Picture:
    """`stem` is its file's name without suffix: letters, digits, hyphens. `alt` is what it shows in one sentence, plain text.

    `data` are the figures it is drawn from, as lines of text. Both files hold it, so whether they are drawn from today's
    records can be told without comparing outlines and pixels, which differ with the version of matplotlib (`embedded`).
    """

    stem: str
    title: str
    alt: str
    data: str
    figure: Callable[[], Figure]

    def save(self, folder: Path) -> list[Path]:
        """Writes PNG and SVG. The same picture gives the same bytes. Raises KdbenchError where they cannot be written."""
        written = []
        about = {"Title": self.title, "Description": self.data}
        with settings(), warnings.catch_warnings():
            # Names in scripts that the font lacks are drawn as boxes; the description has them in letters.
            warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
            figure = self.figure()
            for suffix, left_out in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
                stream = io.BytesIO()
                figure.savefig(stream, format=suffix, dpi=DPI, metadata={**about, **left_out})
                path = folder / f"{self.stem}.{suffix}"
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(stream.getvalue())
                except OSError as error:
                    raise KdbenchError(f"{path}: the picture cannot be written ({error})") from error
                written.append(path)
        return written


def embedded(picture: Path) -> str:
    """The data that an SVG or PNG was drawn from. Raises KdbenchError where it cannot be read, or has none."""
    try:
        if picture.suffix == ".png":
            from PIL import Image

            with Image.open(picture) as image:
                found = image.info.get("Description")
        else:
            found = ElementTree.parse(picture).getroot().findtext(f".//{_DESCRIPTION}")
    except (OSError, ElementTree.ParseError) as error:
        raise KdbenchError(f"{picture}: the picture cannot be read ({error})") from error
    if not found:
        raise KdbenchError(f"{picture}: it does not say what it was drawn from; draw it again")
    return str(found)


def line(name: str, **values: object) -> str:
    """One line of data: `name key=value`, numbers to 6 digits."""
    shown = (f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items())
    return " ".join([name, *shown])
