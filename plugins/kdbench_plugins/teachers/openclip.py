"""The teacher `openclip`: any open_clip model with published weights or a local checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kdbench import Encoder, ImageCost, KdbenchError, Modality, Offer, Teacher, TeacherData, Towers, hookimpl
from kdbench_plugins.checked_once import check_once
from kdbench_plugins.openclip import (
    SCHEMAS,
    brief,
    check_model_name,
    check_pretrained,
    hushed,
    import_open_clip,
    weight_files,
)
from kdbench_plugins.shrink import shrunken_checkpoint
from kdbench_plugins.teachers.clip_key import tower_key
from kdbench_plugins.teachers.image_cost import measured
from kdbench_plugins.teachers.tower import settled
from kdbench_plugins.tokens import cut_by, identity_of, own_tokenizer

if TYPE_CHECKING:
    from torch import Tensor


class OpenClip:
    """`model` is a name in open_clip, `pretrained` a tag of that model or a checkpoint file.

    For models named `hf-hub:…` or `local-dir:…`, which include weights, `pretrained` is empty.
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
        return Towers(
            ImageTower(clip, self.model, self.precision), TextTower(clip, self.model, self.precision, tokenizer), scale
        )

    def image_cost(self) -> ImageCost:
        """Of a model without weights. Raises KdbenchError if open_clip cannot build it."""
        import torch

        try:
            with hushed(), torch.device("meta"):
                clip = import_open_clip().create_model(self.model, device="meta", load_weights=False)
        except Exception as error:  # as in `load`
            raise KdbenchError(f"teacher openclip: {self.model!r} could not be built ({brief(error)})") from error
        return measured(clip.eval().encode_image, clip.visual.image_size)

    def load(self) -> Any:
        """The whole model, in eval mode. Raises KdbenchError if it or its weights cannot be loaded."""
        open_clip = import_open_clip()
        _check_names(self.model, self.pretrained)
        try:
            with hushed():
                clip = open_clip.create_model(
                    self.model, self.pretrained or None, precision=self.precision, require_pretrained=True
                )
        except Exception as error:  # open_clip, torch, safetensors and the hub raise many types
            hint = (
                "it must be a checkpoint of this model that contains only tensors"
                if Path(self.pretrained).is_file()
                else "without a network, set `pretrained` to the path of a checkpoint; with one, downloads are cached"
            )
            raise KdbenchError(
                f"teacher openclip: the weights {self.pretrained or self.model!r} of {self.model!r} could not be loaded "
                f"({brief(error)}); {hint}"
            ) from error
        return clip.requires_grad_(False).eval()


def check(*, model: str, pretrained: str = "", precision: Literal["fp32", "bf16"] = "fp32") -> None:  # noqa: ARG001
    """Raises KdbenchError with the nearest name if open_clip does not know `model` or `pretrained`."""
    _need_weights(model, pretrained)
    if Path(pretrained).is_file():
        _check_names(model, pretrained)
    else:
        check_once(lambda: _check_names(model, pretrained), "teacher openclip", model, pretrained)


def _check_names(model: str, pretrained: str) -> None:
    check_model_name(model)
    if pretrained:
        check_pretrained(model, pretrained)


def smoke(params: dict[str, Any]) -> dict[str, Any]:
    """The same family with one or two layers and random weights, loaded from a folder."""
    return params | {"model": f"local-dir:{shrunken_checkpoint(params['model'], params['pretrained'])}", "pretrained": ""}


def reads(*, model: str, pretrained: str = "", precision: str = "fp32") -> list[Path]:  # noqa: ARG001
    """The files of the weights."""
    return weight_files(model, pretrained)


def _need_weights(model: str, pretrained: str) -> None:
    if not pretrained and not model.startswith(SCHEMAS):
        raise KdbenchError(
            f"teacher openclip: {model!r} needs `pretrained`, a tag of open_clip or a checkpoint file; "
            "a teacher needs trained weights"
        )


class ImageTower:
    """Encodes pictures, uint8 [H, W, 3], to unit vectors [B, d] with the model's own preprocessing."""

    modality: Modality = "image"
    base: Encoder | None = None
    originals = True

    def __init__(self, clip: Any, model: str, precision: str) -> None:
        import numpy as np
        from open_clip.transform import PreprocessCfg, image_transform_v2

        preprocess_cfg = import_open_clip().get_model_preprocess_cfg(clip)
        self.clip = clip
        self.side = int(np.max(preprocess_cfg["size"]))
        self.preprocess = image_transform_v2(PreprocessCfg(**preprocess_cfg), is_train=False)
        self.precision = precision
        self.key = tower_key(clip, model, "image", [preprocess_cfg, precision])

    def encode(self, items: Any, device: str) -> Tensor:
        import numpy as np
        import torch
        from PIL import Image

        pictures = [self.preprocess(Image.fromarray(np.asarray(item))) for item in items]
        pixels = torch.stack(pictures).to(device, dtype=torch.bfloat16 if self.precision == "bf16" else torch.float32)
        with torch.no_grad():
            return unit(settled(self.clip, device).encode_image(pixels))


class TextTower:
    """Encodes captions to unit vectors [B, d] with the model's own tokenizer."""

    modality: Modality = "text"
    base: Encoder | None = None

    def __init__(self, clip: Any, model: str, precision: str, tokenizer: Any) -> None:
        self.clip = clip
        self.tokenizer = tokenizer
        self.key = tower_key(clip, model, "text", [identity_of(tokenizer), precision])

    def encode(self, items: Any, device: str) -> Tensor:
        import torch

        tokens = self.tokenizer(list(items)).to(device)
        with torch.no_grad():
            return unit(settled(self.clip, device).encode_text(tokens))

    def cut(self, captions: Sequence[str]) -> tuple[Any, Any]:
        """Which captions are longer than the context, and the tokens left of them."""
        return cut_by(self.tokenizer, captions)


def unit(features: Tensor) -> Tensor:
    """Unit vectors in float32, for any precision of the tower."""
    from torch.nn.functional import normalize

    return normalize(features.float(), dim=-1)


@hookimpl
def kdbench_teachers() -> list[Offer[Teacher]]:
    return [
        Offer(
            "openclip",
            OpenClip,
            "any open_clip model, with downloaded weights or a local checkpoint",
            check,
            reads=reads,
            example={"model": "ViT-B-16", "pretrained": "datacomp_xl_s13b_b90k"},
            smoke=smoke,
        )
    ]
