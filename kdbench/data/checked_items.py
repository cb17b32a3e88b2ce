"""Pictures and captions of a dataset, checked one by one where they come in: errors name split, index and source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Split
from kdbench.contracts.border import described
from kdbench.data.originals import digest_of_picture
from kdbench.errors import KdbenchError, PluginError, of_machine


def read_picture(split: Split, name: str, index: int, size: int) -> tuple[NDArray[np.uint8], bytes]:
    """The picture at an index, uint8 [size, size, 3], and the sha256 of its original, empty for a split without originals.

    Raises PluginError, naming split, index and source, if it cannot be read or is no picture.
    """
    where = f"{name} image {index}"
    try:
        return _read(split, index, size, where)
    except PluginError as error:  # only now is its source asked for, which may have to be looked up in a shard
        if str(error).startswith(where) and len(split.sources):
            raise PluginError(f"{where} ({split.sources[index]}){str(error).removeprefix(where)}") from error.__cause__
        raise


def _read(split: Split, index: int, size: int, where: str) -> tuple[NDArray[np.uint8], bytes]:
    try:
        original = split.originals[index] if len(split.originals) else None
        picture = split.images[index] if original is None or split.square is None else split.square(original)
    except KdbenchError:
        raise
    except Exception as error:  # any exception of the plugin
        if of_machine(error):
            raise  # of the machine, such as a full disk: what has been decoded is kept
        raise PluginError(f"{where}: {type(error).__name__}: {error}") from error
    digest = b"" if original is None else digest_of_picture(checked_original(original, where))
    return checked_picture(picture, size, where), digest


def checked_original(picture: object, where: str) -> NDArray[np.uint8]:
    """An original picture, uint8 [H, W, 3]. Raises PluginError, beginning with `where`, for another."""
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        found = f"an original of {array.dtype} of shape {list(array.shape)}"
        raise PluginError(f"{where}: found {found}, expected uint8 of shape [height, width, 3]")
    return array


def checked_picture(picture: object, size: int, where: str) -> NDArray[np.uint8]:
    """A picture, uint8 [size, size, 3]. Raises PluginError, beginning with `where`, such as "train image 3", for another."""
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.shape != (size, size, 3):
        found = f"{array.dtype} of shape {list(array.shape)}"
        hint = "; multiply by 255 and round" if array.dtype.kind == "f" else ""
        raise PluginError(f"{where}: found {found}, expected uint8 of shape [{size}, {size}, 3]{hint}")
    return array


def checked_caption(caption: object, where: str) -> str:
    """A caption. Raises PluginError, beginning with `where`, if it is no string or cannot be written as UTF-8."""
    if not isinstance(caption, str):
        raise PluginError(f"{where}: found {described(caption)}, expected a string")
    try:
        caption.encode()
    except UnicodeEncodeError as error:
        raise PluginError(f"{where}: found {caption[error.start]!a}, half of a character; expected text") from error
    return caption
