"""Tiny open_clip models for `--smoke`: the same family, one or two layers, random weights, nothing to download."""

from __future__ import annotations

import hashlib
import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from kdbench_plugins.openclip import SCHEMAS, hushed, import_open_clip

# timm's own test models, by the prefix of the families that they stand for.
FAMILIES = {
    "vit": "test_vit",
    "convnext": "test_convnext",
    "efficientnet": "test_efficientnet",
    "mobilenet": "test_efficientnet",
    "fastvit": "test_byobnet",
    "resnet": "test_resnet",
}
WIDTH, SIZE = 32, 64
STAND_IN = "ViT-B-32"  # for models whose configuration cannot be known without downloading it


def shrunken(config: dict[str, Any]) -> dict[str, Any]:
    """A small open_clip config of the same family, with the same tokenizer and context length."""
    small = deepcopy(config)
    vision, text = small["vision_cfg"], small["text_cfg"]
    small["embed_dim"] = WIDTH
    vision["image_size"] = SIZE
    if "timm_model_name" in vision:
        name = vision["timm_model_name"].removeprefix("test_")
        vision["timm_model_name"] = next((tiny for family, tiny in FAMILIES.items() if name.startswith(family)), "test_resnet")
        vision["timm_model_pretrained"] = False
    elif isinstance(vision.get("layers"), list):  # a ResNet; its attention pool is 32 times as wide
        vision |= {"layers": [1, 1, 1, 1], "width": 8}
    else:
        patch = min(32, vision.get("patch_size", 32))
        patch = 1 << (patch.bit_length() - 1)  # which divides the size, where 14 or 6 do not
        vision |= {"layers": 1, "width": 64, "head_width": 32, "patch_size": patch}
    if "hf_model_name" not in text:
        text |= {"width": WIDTH, "heads": 2, "layers": 1}
    return small


def config_of(model: str) -> dict[str, Any]:
    """The configuration of a named model, or a stand-in's."""
    name = STAND_IN if model.startswith(SCHEMAS) else model.replace("/", "-")
    config: dict[str, Any] = import_open_clip().get_model_config(name)
    return config


def shrunken_checkpoint(model: str, pretrained: str = "") -> Path:
    """A folder, made once, that open_clip loads by `local-dir:`: a tiny model with the preprocessing of the original."""
    from torch import random as torch_random

    from kdbench.storage.checkpoint import save_weights

    open_clip = import_open_clip()
    config = shrunken(config_of(model))
    known = open_clip.get_pretrained_cfg(model.replace("/", "-"), pretrained) if pretrained else {}
    look = {key: known[key] for key in ("mean", "std", "interpolation", "resize_mode") if known.get(key)}
    contents = {"model_cfg": config, "preprocess_cfg": {**look, "size": SIZE}}
    key = hashlib.sha256(json.dumps([model, pretrained, contents], sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("KDBENCH_CACHE") or user_cache_path("kdbench")) / "smoke" / key
    if (folder / "open_clip_config.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with torch_random.fork_rng(devices=[]), hushed():
        torch_random.manual_seed(int(key[:8], 16))
        clip = _built(config)
    save_weights(folder / "open_clip_model.safetensors", clip)  # readable by other users of the cache
    partial = folder / "partial.json"
    partial.write_text(json.dumps(contents, indent=1))
    partial.replace(folder / "open_clip_config.json")  # last: a process that finds this file also finds the weights
    return folder


def _built(config: dict[str, Any]) -> Any:
    from open_clip import model

    own = {key: value for key, value in config.items() if key != "custom_text"}
    return (model.CustomTextCLIP if config.get("custom_text") else model.CLIP)(**own)
