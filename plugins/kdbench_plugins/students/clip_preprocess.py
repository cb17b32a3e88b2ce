"""The preprocessing in an open_clip_config.json that a suite gives as a student's `config`."""

from __future__ import annotations

from typing import Any

from kdbench import nearest
from kdbench.errors import ParameterError
from kdbench_plugins.students.clip_types import PLUGIN

WORDS = {
    "mode": ("RGB",),
    "interpolation": ("bicubic", "bilinear", "random"),  # open_clip resizes bicubically where it draws nothing
    "resize_mode": ("shortest", "longest", "squash"),
}
COLOURS = ("mean", "std")


def own_preprocess(config: dict[str, Any]) -> dict[str, Any]:
    """The part `preprocess_cfg` beside `model_cfg`, without what it leaves open; empty if there is none.

    Raises ParameterError, with the path of the key, for a key or a value that open_clip does not know, and for another size
    than the model's, which open_clip would ignore.
    """
    if "preprocess_cfg" not in config:
        return {}
    found, path = config["preprocess_cfg"], ("config", "preprocess_cfg")
    if not isinstance(found, dict):
        raise ParameterError.at(PLUGIN, path, found, "a map")
    given = {key: value for key, value in found.items() if value is not None}
    known = (*COLOURS, *WORDS, "size", "fill_color")
    for key, value in given.items():
        here = (*path, str(key))
        if key not in known:
            hint = nearest(key, known)
            message = f"{PLUGIN}: {'.'.join(path)} has no key {key!r}; {hint}"
            raise ParameterError(message, here, key, f"one of {', '.join(sorted(known))}", hint)
        if key in WORDS and value not in WORDS[key]:
            hint = nearest(value, WORDS[key]) if isinstance(value, str) else ""
            raise ParameterError.at(PLUGIN, here, value, f"one of {', '.join(WORDS[key])}", hint)
        if key in COLOURS and not _is_colour(value, above=-1 if key == "mean" else 0):
            raise ParameterError.at(PLUGIN, here, value, "a list of three numbers, for red, green and blue")
        if key == "fill_color" and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255):
            raise ParameterError.at(PLUGIN, here, value, "a whole number from 0 to 255")
    size = config.get("model_cfg", config).get("vision_cfg", {}).get("image_size", 224)
    if "size" in given and _pair(given["size"]) != _pair(size):
        raise ParameterError.at(PLUGIN, (*path, "size"), given["size"], f"{size}, the model's vision_cfg.image_size")
    return given


def _is_colour(value: Any, above: float) -> bool:
    numbers = value if isinstance(value, list | tuple) else []
    plain = all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers)
    return len(numbers) == 3 and plain and all(above < one < 256 for one in numbers)


def _pair(size: Any) -> list[Any]:
    return list(size) if isinstance(size, list | tuple) else [size, size]
