"""Folders that open_clip loads by `local-dir:`: tiny models with the same weights, as far as their shapes agree."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from kdbench_plugins.openclip import hushed, import_open_clip

CONFIG: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def changed(config: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy of a config with one value changed."""
    copy = deepcopy(config)
    inner = copy
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    inner[path[-1]] = value
    return copy


@cache
def _base() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state: dict[str, torch.Tensor] = import_open_clip().model.CLIP(**deepcopy(CONFIG)).state_dict()
    return state


def clip_folder(folder: Path, config: dict[str, Any], preprocess: dict[str, Any] | None = None) -> str:
    """Writes the folder and returns its name for open_clip. Weights are those of CONFIG, or drawn where shapes differ."""
    model = import_open_clip().model
    own = deepcopy(config)
    make = model.CustomTextCLIP if own.pop("custom_text", False) else model.CLIP
    with torch.random.fork_rng(devices=[]), hushed():
        torch.manual_seed(0)
        clip = make(**own)
    base = _base()
    state = clip.state_dict()
    for name, value in state.items():
        if name in base and base[name].shape == value.shape:
            state[name] = base[name]
        if any(part in name for part in ("mlp", "in_proj")):
            state[name] = state[name] * 6  # so that the activation and the heads matter
    folder.mkdir(parents=True, exist_ok=True)
    described = {"model_cfg": config, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    save_file({name: value.contiguous() for name, value in state.items()}, folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"
