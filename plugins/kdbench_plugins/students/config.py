"""Checks an inline open_clip config before anything is built from it."""

from __future__ import annotations

import dataclasses
from typing import Any

from kdbench import KdbenchError, nearest
from kdbench_plugins.openclip import import_open_clip, import_timm

TOP = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_scale", "init_logit_bias", "custom_text"}


def check_config(config: dict[str, Any]) -> None:
    """Raises KdbenchError that names the key, what was found, what was expected and the nearest valid name."""
    import_open_clip()
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    for key, kind in (("embed_dim", int), ("vision_cfg", dict), ("text_cfg", dict)):
        if not isinstance(config.get(key), kind):
            raise KdbenchError(f"open_clip config: {key}: found {config.get(key)!r}, expected {kind.__name__}")
    _check_keys("config", config, TOP)
    _check_keys("vision_cfg", config["vision_cfg"], {field.name for field in dataclasses.fields(CLIPVisionCfg)})
    _check_keys("text_cfg", config["text_cfg"], {field.name for field in dataclasses.fields(CLIPTextCfg)})
    if config["vision_cfg"].get("timm_model_name"):
        _check_timm(config["vision_cfg"]["timm_model_name"])


def _check_keys(where: str, found: dict[str, Any], known: set[str]) -> None:
    for key in found:
        if key not in known:
            raise KdbenchError(f"open_clip {where}: found {key!r}, which open_clip does not know; {nearest(key, known)}")


def _check_timm(name: str) -> None:
    timm = import_timm()
    if not timm.is_model(name):
        raise KdbenchError(f"vision_cfg.timm_model_name: timm has no model {name!r}; {nearest(name, timm.list_models())}")
    import torch

    with torch.device("meta"):  # shapes only: no weights are drawn, so the student's initial ones are not disturbed
        trunk = timm.create_model(name, pretrained=False)
    hidden = getattr(trunk, "head_hidden_size", trunk.num_features)
    if hidden != trunk.num_features:
        raise KdbenchError(
            f"vision_cfg.timm_model_name: {name} has a hidden layer in its head ({trunk.num_features} → {hidden}), and "
            "open_clip sizes the projection for the former but feeds it the latter; towers without one work, such as "
            "mobilenetv2_035, resnet10t, efficientnet_lite0 or vit_tiny_patch16_224"
        )
