"""Pictures of published records: SVG files under docs/images, and the lines of pages that show them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from os.path import relpath
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.tools.result_blocks import ROOT, read
from kdbench.reports.pareto import planes
from kdbench.reports.plots import cost_plane, regime_map
from kdbench.reports.regimes import maps
from kdbench_plugins.reports.figures.picture_files import Picture

IMAGES = Path("docs/images")


def plane(folder: str) -> Picture:
    """The plane of headline metric against latency of a folder's records."""
    found, board = read(folder)
    (one,) = [one for one in map(cost_plane, planes(board, found.profiles)) if one.stem.startswith("plane-latency-")]
    return Picture.of(one)


def regimes(folder: str) -> Picture:
    """The map of a folder's regimes."""
    (found,) = maps(read(folder)[1].regimes)
    return Picture.of(regime_map(found))


PICTURES: dict[str, tuple[str, Callable[[str], Picture]]] = {  # by block: the end of the file's name, and what is drawn
    "picture": ("latency", plane),
    "regimes_picture": ("regimes", regimes),
}


def path_of(block: str, folder: str) -> Path:
    """Where a block's picture of a folder lies, from the root."""
    name = dict.fromkeys([Path(folder).name, PICTURES[block][0]])  # once, where both are the same
    return IMAGES / f"{'-'.join(name)}.svg"


def shown(block: str, folder: str, page: str) -> str:
    """The image as a page, given from the root, shows it."""
    return f"![{PICTURES[block][1](folder).alt}]({relpath(path_of(block, folder), Path(page).parent)})"


def write(block: str, folder: str, root: Path = ROOT) -> Path:
    """Draws it. Drawing depends on matplotlib's version: tests compare the data that the file holds."""
    target = root / path_of(block, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        (drawn,) = [path for path in PICTURES[block][1](folder).save(Path(scratch)) if path.suffix == ".svg"]
        shutil.copyfile(drawn, target)
    return target
