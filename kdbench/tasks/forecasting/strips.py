"""Pictures of fields: frames beside each other, and as an animation. A point of the grid is a pixel."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kdbench.tasks.forecasting.colours import palette, places

GAP = 2  # pixels between frames
PAPER = 255  # the place after the palette's last: white
PAUSE, LAST = 250, 1500  # milliseconds a frame, and the last one

Pixels = NDArray[np.uint8]  # places in the palette


def grid(rows: Sequence[tuple[NDArray[np.floating], float]]) -> Pixels:
    """Rows of fields [n, H, W], each with the largest value of its scale, below each other."""
    return _joined([_joined(list(places(fields, largest)), 1) for fields, largest in rows], 0)


def png(pixels: Pixels) -> bytes:
    """A still picture."""
    return animation([pixels])


def animation(frames: Sequence[Pixels]) -> bytes:
    """An animated PNG that starts again from the first frame."""
    from PIL import Image

    colours = np.concatenate([palette(), np.full((1, 3), 255, np.uint8)]).tobytes()
    images = []
    for pixels in frames:
        image = Image.fromarray(pixels, "P")
        image.putpalette(colours)
        images.append(image)
    stream = io.BytesIO()
    if len(images) == 1:
        images[0].save(stream, "PNG", optimize=True)
    else:
        durations = [*[PAUSE] * (len(images) - 1), LAST]
        images[0].save(stream, "PNG", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return stream.getvalue()


def _joined(parts: Sequence[Pixels], axis: int) -> Pixels:
    """Parts beside each other (axis 1) or below each other (axis 0), with gaps of paper."""
    shape = list(parts[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, PAPER, np.uint8)
    found = [parts[0]]
    for part in parts[1:]:
        found += [gap, part]
    return np.concatenate(found, axis)
