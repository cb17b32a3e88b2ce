"""The teacher `openclip`: any model of open_clip with published weights, or with those of a local checkpoint."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kdbench import Encoder, KdbenchError, TeacherData, Modality, Offer, Teacher, Towers, hookimpl
from kdbench_plugins.openclip import SCHEMAS, brief, check_model_name, check_pretrained, hushed, import_open_clip
from kdbench_plugins.shrink import shrunken_checkpoint
from kdbench_plugins.teachers.tower import settled, state_digest
from kdbench_plugins.tokens import identity_of, own_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
VISUAL = "visual."  # in open_clip's state, what begins with this is the image tower's and all else the text tower's


class OpenClip:
    """`model` and `pretrained` as in open_clip: `pretrained` is a tag of that model or a checkpoint file.

    For models named `hf-hub:…` or `local-dir:…`, which bring their weights, `pretrained` is empty.
    """

    def __init__(self, *, model: str, pretrained: str = "", precision: Literal["fp32", "bf16"] = "fp32") -> None:
        _need_weights(model, pretrained)
        self.model = model
        self.pretrained = pretrained
        self.precision = precision

    def towers(self, data: TeacherData) -> Towers:  # noqa: ARG002 (it learns nothing from the dataset)
        clip = self.load()
        tokenizer = own_tokenizer(self.model)
        scale = float(clip.logit_scale.detach().float().exp())
        return Towers(ImageTower(clip, self.precision), TextTower(clip, tokenizer), scale)

    def load(self) -> Any:
        """The whole model, in eval mode. Raises KdbenchError where its name or its weights cannot be had."""
        open_clip = import_open_clip()
        check(model=self.model, pretrained=self.pretrained)
        try:
            with hushed():
                clip = open_clip.create_model(
                    self.model, self.pretrained or None, precision=self.precision, require_pretrained=True
                )
        except Exception as error:  # open_clip, torch, safetensors and the hub raise what they like
            hint = (
                "it must be a checkpoint of that very model, of tensors alone"
                if Path(self.pretrained).is_file()
                else "without a network, give `pretrained` the path of a checkpoint; with one, a run keeps its downloads"
            )
            raise KdbenchError(
                f"teacher openclip: the weights {self.pretrained or self.model!r} of {self.model!r} could not be loaded "
                f"({brief(error)}); {hint}"
            ) from error
        return clip.requires_grad_(False).eval()


def check(*, model: str, pretrained: str = "", precision: Literal["fp32", "bf16"] = "fp32") -> None:  # noqa: ARG001
    """Whether open_clip knows the names. Raises KdbenchError with the nearest one."""
    _need_weights(model, pretrained)
    check_model_name(model)
    if pretrained:
        check_pretrained(model, pretrained)


def smoke(params: dict[str, Any]) -> dict[str, Any]:
    """The same model with a layer or two and weights of chance, from a folder."""
    return params | {"model": f"local-dir:{shrunken_checkpoint(params['model'], params['pretrained'])}", "pretrained": ""}


def _need_weights(model: str, pretrained: str) -> None:
    if not pretrained and not model.startswith(SCHEMAS):
        raise KdbenchError(
            f"teacher openclip: {model!r} needs `pretrained`, a tag of open_clip or a checkpoint file; "
            "a teacher with random weights has nothing to teach"
        )


class ImageTower:
    """uint8 [B, S, S, 3] to unit vectors [B, d], through the model's own preprocessing, picture by picture."""

    modality: Modality = "image"
    base: Encoder | None = None

    def __init__(self, clip: Any, precision: str) -> None:
        from open_clip.transform import PreprocessCfg, image_transform_v2

        preprocess_cfg = import_open_clip().get_model_preprocess_cfg(clip)
        self.clip = clip
        self.preprocess = image_transform_v2(PreprocessCfg(**preprocess_cfg), is_train=False)
        self.precision = precision
        state = state_digest(clip, prefix=VISUAL)
        parts = [FORMAT, type(clip).__name__, state, preprocess_cfg, precision]
        self.key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        import numpy as np
        import torch
        from PIL import Image

        pictures = [self.preprocess(Image.fromarray(np.asarray(item))) for item in items]
        pixels = torch.stack(pictures).to(device, dtype=torch.bfloat16 if self.precision == "bf16" else torch.float32)
        with torch.no_grad():
            return unit(settled(self.clip, device).encode_image(pixels))


class TextTower:
    """A list of captions to unit vectors [B, d], through the model's own tokenizer."""

    modality: Modality = "text"
    base: Encoder | None = None

    def __init__(self, clip: Any, tokenizer: Any) -> None:
        self.clip = clip
        self.tokenizer = tokenizer
        parts = [FORMAT, type(clip).__name__, state_digest(clip, without=VISUAL), identity_of(tokenizer)]
        self.key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def encode(self, items: Any, device: str) -> Tensor:
        import torch

        tokens = self.tokenizer(list(items)).to(device)
        with torch.no_grad():
            return unit(settled(self.clip, device).encode_text(tokens))


def unit(features: Tensor) -> Tensor:
    """Unit vectors in float32, whatever precision the tower computes in."""
    from torch.nn.functional import normalize

    return normalize(features.float(), dim=-1)


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "openclip",
            OpenClip,
            "any model of open_clip, its weights downloaded or from a local checkpoint",
            check,
            example={"model": "ViT-B-16", "pretrained": "datacomp_xl_s13b_b90k"},
            smoke=smoke,
        )
    ]
