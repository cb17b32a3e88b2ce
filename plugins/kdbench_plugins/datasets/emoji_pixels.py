"""Pictures of emoji, decoded when indexed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from kdbench import KdbenchError
from kdbench.errors import of_machine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Pictures(Sequence["NDArray[np.uint8]"]):
    """N files as N images, uint8 [size, size, 3], decoded when indexed. Keeps nothing: the core caches decoded images."""

    paths: tuple[Path, ...]
    size: int

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> Pictures: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | Pictures:
        if isinstance(index, slice):
            return Pictures(self.paths[index], self.size)
        return decode(self.paths[index], self.size)


def decode(path: Path, size: int) -> NDArray[np.uint8]:
    """A PNG, resized, or an SVG, drawn at `size`: uint8 [size, size, 3] RGB on white."""
    import numpy as np
    from PIL import Image

    try:
        source = io.BytesIO(_draw(path, size)) if path.suffix == ".svg" else path
        with Image.open(source) as image:
            rgba = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError) as error:  # SyntaxError is Pillow's for a damaged PNG
        if of_machine(error):
            raise
        raise KdbenchError(f"dataset emoji: cannot decode {path} ({error}); reinstall the package it is in") from error
    # On white before resizing, or the colour of invisible pixels would bleed into the edges.
    picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    return np.array(picture, dtype=np.uint8)


def _draw(path: Path, size: int) -> bytes:
    import resvg_py

    # Without system fonts the pixels are the same on every machine; OpenMoji has no text elements.
    drawn = resvg_py.svg_to_bytes(svg_path=str(path), width=size, height=size, skip_system_fonts=True)
    return bytes(drawn)
