"""Builds open_clip models for training and checks beforehand that their towers fit together."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from kdbench import KdbenchError
from kdbench_plugins.openclip import brief, hushed, import_open_clip, model_config

T = TypeVar("T")
SUITABLE = "mobilenetv2_035, efficientnet_lite0, resnet10t or convnext_atto"


def named_config(model: str) -> dict[str, Any]:
    """The config of a model in open_clip's registry, a folder or a hub repository."""
    return attempt(f"the config of {model!r}", lambda: model_config(model))


def create(model: str | None, config: dict[str, Any], pretrained: str | None, preprocess: dict[str, Any] | None = None) -> Any:
    """Builds the model, by name if it has one; new weights are drawn from torch's global generator.

    `preprocess` is the `preprocess_cfg` of a model without a name; what it leaves out has open_clip's defaults.
    """
    open_clip = import_open_clip()
    # Keeps the config's setting for the towers' own weights, which open_clip's factory would override.
    own = {
        "pretrained_image": bool(config["vision_cfg"].get("timm_model_pretrained", False)),
        "pretrained_text": bool(config["text_cfg"].get("hf_model_pretrained", True)),
    }
    with hushed():
        if model is not None:
            return attempt(f"the model {model!r}", lambda: open_clip.create_model(model, pretrained, **own))
        with tempfile.TemporaryDirectory() as folder:
            # open_clip reads configs from its registry, which is global, or from a folder.
            described = {"model_cfg": config, "preprocess_cfg": preprocess or {}}
            (Path(folder) / "open_clip_config.json").write_text(json.dumps(described))
            clip = attempt("a model of this config", lambda: open_clip.create_model(f"local-dir:{folder}", **own))
        if pretrained is not None:
            attempt(f"the checkpoint {pretrained}", lambda: open_clip.load_checkpoint(clip, pretrained))
        return clip


def attempt(what: str, make: Callable[[], T]) -> T:
    """Calls `make` and turns its exceptions into KdbenchError, because names, files and numbers come from the suite."""
    try:
        return make()
    except KdbenchError:
        raise
    except Exception as error:  # open_clip asserts; timm, torch and the hub raise many types
        raise KdbenchError(f"student openclip: open_clip cannot give {what} ({brief(error)})") from error


def check_towers(clip: Any, config: dict[str, Any], context_length: int) -> None:
    """Encodes a blank picture and a blank caption. Raises KdbenchError if a tower does not fit.

    open_clip sizes its projection by timm's `num_features`, which is wrong for towers with a hidden layer in their head
    (MobileNetV3 and V4, LCNet, GhostNet …): such a model can be built but fails in its first step.
    """
    import torch

    size = clip.visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    vision = config["vision_cfg"]
    tower = vision.get("timm_model_name") or "the image tower"
    check_hidden_head(getattr(clip.visual, "trunk", None), vision)
    clip.eval()  # batch norm must not learn from blank pictures
    with torch.no_grad():
        image = attempt(
            f"an embedding by {tower} of pictures of {height}x{width} (vision_cfg.image_size)",
            lambda: clip.encode_image(torch.zeros(1, 3, height, width), normalize=True),
        )
        text = attempt(
            f"an embedding by the text tower of {context_length} tokens (text_cfg)",
            lambda: clip.encode_text(torch.zeros(1, context_length, dtype=torch.long), normalize=True),
        )
    clip.train()
    for name, found in ((tower, image), ("the text tower", text)):
        if found.shape != (1, config["embed_dim"]):
            raise KdbenchError(
                f"student openclip: {name} returns shape {list(found.shape)}, expected [1, {config['embed_dim']}] "
                "by embed_dim; a projection may be missing (vision_cfg.timm_proj, text_cfg.proj_type)"
            )


def rehearse(config: dict[str, Any]) -> None:
    """Builds a model of this config without weights and encodes with it, on torch's meta device, which computes shapes only.

    Finds what types cannot tell, such as a pooling that a tower does not have, before the run. Nothing is drawn or downloaded.
    Raises KdbenchError if it fails. Towers of transformers and of the hub are left out: their configs would have to be fetched.
    """
    import torch

    config = deepcopy(config)
    vision, text = config["vision_cfg"], config["text_cfg"]
    if text.get("hf_model_name") or ":" in str(vision.get("timm_model_name") or ""):
        return
    if vision.get("timm_model_name"):
        vision["timm_model_pretrained"] = False
    model = import_open_clip().model
    make = model.CustomTextCLIP if config.pop("custom_text", False) else model.CLIP
    with hushed(), torch.device("meta"):
        clip = attempt("a model of this config", lambda: make(**config))
        check_towers(clip, config, int(text.get("context_length", 77)))


def check_hidden_head(trunk: Any, vision: dict[str, Any]) -> None:
    outer, hidden = getattr(trunk, "num_features", None), getattr(trunk, "head_hidden_size", None)
    if vision.get("timm_proj", "linear") in ("linear", "mlp") and hidden not in (None, outer):
        raise KdbenchError(
            f"student openclip: the tower {vision['timm_model_name']!r} has a hidden layer in its head, which gives "
            f"{hidden} features where open_clip's projection expects {outer}; write timm_proj: '' in vision_cfg, so "
            f"that the tower's own last layer is the projection, or take a tower such as {SUITABLE}"
        )
