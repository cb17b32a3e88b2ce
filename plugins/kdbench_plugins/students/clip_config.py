"""Checks open_clip configs: finds wrong keys, values and names before a model is built."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from kdbench import nearest
from kdbench.errors import ParameterError
from kdbench_plugins.openclip import import_timm
from kdbench_plugins.students.clip_types import PLUGIN, check_values, defaults, known_types

# A student for examples that can be trained on a laptop: timm's smallest ResNet and a narrow transformer.
SMALL: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {
        "timm_model_name": "test_resnet",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": 48,
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2},
}
REQUIRED = ("embed_dim", "vision_cfg", "text_cfg")
# What counts where a tower comes from timm or transformers; open_clip ignores every other key of its part.
OF_TIMM = {"image_size", "patch_dropout"}
OF_TRANSFORMERS = {"context_length", "vocab_size", "hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs", "output_tokens"}


def checked_config(config: dict[str, Any]) -> dict[str, Any]:
    """A checked copy of `config`.

    Raises ParameterError, with the path of the key, if one is missing or unknown, has a value of another type or out of range,
    or would be ignored.
    """
    path: tuple[str, ...] = ("config",)
    if isinstance(config.get("model_cfg"), dict):  # an open_clip_config.json as open_clip writes it
        config, path = config["model_cfg"], (*path, "model_cfg")
    for key in REQUIRED:
        if key not in config:
            raise ParameterError(
                f"{PLUGIN}: config lacks {key!r}; expected {', '.join(REQUIRED)} at least", path, config, f"the key {key!r}"
            )
    if "multimodal_cfg" in config:
        raise ParameterError.at(PLUGIN, (*path, "multimodal_cfg"), config["multimodal_cfg"], "a two-tower model, not CoCa")
    for part in ("", "vision_cfg", "text_cfg"):
        here = (*path, part) if part else path
        found = config[part] if part else config
        _check_keys(here, found, known_types(part))
        check_values(part, found, here)
    check_timm_name(config["vision_cfg"], path)
    _check_ignored(config, path)
    _check_divisions(config, path)
    return deepcopy(config)


def check_timm_name(vision: dict[str, Any], path: tuple[str, ...]) -> None:
    name = vision.get("timm_model_name")
    timm = import_timm()
    if name and not str(name).startswith(("hf-hub:", "hf_hub:", "local-dir:")) and not timm.is_model(name):
        hint = nearest(name, timm.list_models())
        raise ParameterError.at(PLUGIN, (*path, "vision_cfg", "timm_model_name"), name, "a model of timm", hint)


def _check_keys(path: tuple[str, ...], found: Any, known: Iterable[str]) -> None:
    if not isinstance(found, dict):
        raise ParameterError.at(PLUGIN, path, found, "a map")
    known = set(known)
    for key in found:
        if key not in known:
            hint = nearest(key, known)
            message = f"{PLUGIN}: {'.'.join(path)} has no key {key!r}; {hint}"
            raise ParameterError(message, (*path, str(key)), key, f"one of {', '.join(sorted(known))}", hint)


def _check_ignored(config: dict[str, Any], path: tuple[str, ...]) -> None:
    """Refuses keys that open_clip would ignore, unless they have their default."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    by_timm, by_transformers = bool(vision.get("timm_model_name")), bool(text.get("hf_model_name"))
    cases = [
        ("vision_cfg", "timm_", OF_TIMM, by_timm, "timm_model_name"),
        ("text_cfg", "hf_", OF_TRANSFORMERS, by_transformers, "hf_model_name"),
    ]
    for part, prefix, more, outside, name in cases:
        for key, value in config[part].items():
            if key in more or key.startswith(prefix) == outside or value == defaults(part).get(key):
                continue
            why = f"nothing here: it has no effect {'with' if outside else 'without'} {name}"
            raise ParameterError.at(PLUGIN, (*path, part, key), value, why, "Leave it out")
    if config.get("quick_gelu") and by_timm and by_transformers:
        raise ParameterError.at(
            PLUGIN, (*path, "quick_gelu"), True, "nothing here: towers of timm and transformers have their own activation"
        )


def _check_divisions(config: dict[str, Any], path: tuple[str, ...]) -> None:
    """Refuses numbers that open_clip would round: pixels that no patch covers, heads of another width."""
    vision, text = ({**defaults(part), **config[part]} for part in ("vision_cfg", "text_cfg"))

    def check(part: str, key: str, number: int, name: str, divisor: int | None) -> None:
        if divisor is None or number % divisor:
            expected = f"a multiple of {name}, which is {divisor}"
            raise ParameterError.at(PLUGIN, (*path, part, key), config[part].get(key, number), expected)

    if not vision["timm_model_name"] and isinstance(vision["layers"], int):
        sizes = vision["image_size"] if isinstance(vision["image_size"], list | tuple) else [vision["image_size"]]
        for size in sizes:
            check("vision_cfg", "image_size", size, "patch_size", vision["patch_size"])
        check("vision_cfg", "width", vision["width"], "head_width", vision["head_width"])
    if not text["hf_model_name"]:
        check("text_cfg", "width", text["width"], "heads", text["heads"])
