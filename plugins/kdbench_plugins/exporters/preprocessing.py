"""How a student of open_clip reads a picture: in words, and checked against the pixels that its tower was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench import KdbenchError, Split


def pictures_of(split: Split) -> Sequence[Any]:
    """The pictures that a user of the exported model has: those of the files, else the dataset's images."""
    return split.originals if len(split.originals) else split.images


def in_words(preprocess: Mapping[str, Any], size: int | Sequence[int]) -> str:
    """A sentence on open_clip's `preprocess_cfg`: resize mode, size in pixels, interpolation, mean and deviation."""
    height, width = (size, size) if isinstance(size, int) else size
    mode, how = preprocess["resize_mode"], preprocess["interpolation"]
    if mode == "squash":
        resized = f"resized to {height} × {width} pixels without keeping their proportions"
    elif mode == "longest":
        resized = (
            f"resized until they fit into {height} × {width} pixels, and padded to that size with {preprocess['fill_color']}"
        )
    else:
        resized = f"resized until they cover {height} × {width} pixels, and cropped to that size around their centre"
    mean, std = (", ".join(f"{value:g}" for value in preprocess[name]) for name in ("mean", "std"))
    return f"Pictures are {resized} ({how}); RGB values from 0 to 1 are normalised with mean {mean} and deviation {std}."


def check_pixels(config: Mapping[str, Any], split: Split, read: NDArray[Any], name: str) -> None:
    """Raises KdbenchError unless open_clip's preprocessing by `config` gives the pixels that the tower reads, [N, h, w, 3].

    `config` is the contents of an open_clip_config.json. Inputs other than uint8 pixels cannot be compared and pass.
    """
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    if read.dtype != np.uint8 or read.ndim != 4:
        return
    size = tuple(read.shape[1:3])
    transform = image_transform_v2(PreprocessCfg(**{**config["preprocess_cfg"], "size": size}), is_train=False)
    resize = type(transform)(transform.transforms[:-2])  # without the tensor and its normalisation, which is the module's
    for index, picture in enumerate(pictures_of(split)):
        found = np.asarray(resize(Image.fromarray(np.asarray(picture))))
        if not np.array_equal(found, read[index]):
            raise KdbenchError(
                f"the student {name!r} reads other pixels of test picture {index} than open_clip does by its open_clip() "
                f"(preprocess_cfg {dict(config['preprocess_cfg'])}); expected the preprocessing of the training"
            )
