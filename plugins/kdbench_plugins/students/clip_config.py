"""Checks open_clip configs: finds wrong keys and names before a model is built."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import fields
from typing import Any

from kdbench import KdbenchError, nearest
from kdbench_plugins.openclip import import_open_clip, import_timm

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
BEYOND_INIT = {"custom_text"}  # read by open_clip's factory, not by its classes


def checked_config(config: dict[str, Any]) -> dict[str, Any]:
    """A checked copy of `config`. Raises KdbenchError with the path of a key that is missing, unknown or not a map."""
    open_clip = import_open_clip()
    if isinstance(config.get("model_cfg"), dict):  # an open_clip_config.json as open_clip writes it
        config = config["model_cfg"]
    for key in REQUIRED:
        if key not in config:
            raise KdbenchError(f"student openclip: config lacks {key!r}; expected {', '.join(REQUIRED)} at least")
    if "multimodal_cfg" in config:
        raise KdbenchError("student openclip: config has a multimodal_cfg (CoCa); expected a two-tower model")
    parameters = set(inspect.signature(open_clip.CLIP.__init__).parameters) - {"self"} | BEYOND_INIT
    _check_keys("config", config, parameters)
    _check_keys("config.vision_cfg", config["vision_cfg"], _names(open_clip.CLIPVisionCfg))
    _check_keys("config.text_cfg", config["text_cfg"], _names(open_clip.CLIPTextCfg))
    check_timm_name(config["vision_cfg"])
    return deepcopy(config)


def check_timm_name(vision: dict[str, Any]) -> None:
    name = vision.get("timm_model_name")
    timm = import_timm()
    if name and not str(name).startswith(("hf-hub:", "hf_hub:", "local-dir:")) and not timm.is_model(name):
        raise KdbenchError(f"student openclip: timm has no model {name!r}; {nearest(name, timm.list_models())}")


def _check_keys(where: str, found: Any, known: Iterable[str]) -> None:
    if not isinstance(found, dict):
        raise KdbenchError(f"student openclip: {where} is {found!r}; expected a map")
    known = set(known)
    for key in found:
        if key not in known:
            raise KdbenchError(f"student openclip: {where} has no key {key!r}; {nearest(key, known)}")


def _names(config_class: Any) -> set[str]:
    return {field.name for field in fields(config_class)}
