"""`openclip`: a student that is a real open_clip model, from a model name or an inline config.

What is trained can be loaded back by open_clip alone: `module.clip` is its own class, and `config` its own format.
"""

from __future__ import annotations

import copy
from typing import Any

from kdbench import Encoder, KdbenchError, Offer, Student, StudentModule, hookimpl
from kdbench_plugins.openclip import check_model_name, check_pretrained, hushed, import_open_clip
from kdbench_plugins.students.config import check_config
from kdbench_plugins.students.inputs import Pixels, Tokens


class OpenClip:
    """Two towers of open_clip, trained from random weights, or from `pretrained` (a tag or a local checkpoint).

    Give either `model`, a name of `open_clip.list_models()`, or `config`, what open_clip's model files hold: embed_dim,
    vision_cfg, text_cfg. Raises KdbenchError on names and keys open_clip does not know, on a timm tower that open_clip
    cannot project, and on a vocabulary smaller than the tokenizer's.
    """

    def __init__(
        self, *, model: str | None = None, config: dict[str, Any] | None = None, pretrained: str | None = None
    ) -> None:
        if (model is None) == (config is None):
            found = "both" if model else "neither"
            raise KdbenchError(f"student openclip: found {found} of `model` and `config`, expected one")
        if model is not None:
            self.config = named_config(model, pretrained)
        else:
            self.config = copy.deepcopy(config or {})
        check_config(self.config)
        clip = build(model, self.config, pretrained)
        open_clip = import_open_clip()
        # A model built from an inline config has none of its own; open_clip then falls back to OpenAI's as well.
        preprocess = open_clip.get_model_preprocess_cfg(clip)
        mean, std = preprocess.get("mean", open_clip.OPENAI_DATASET_MEAN), preprocess.get("std", open_clip.OPENAI_DATASET_STD)
        height, width = image_size(clip)
        self.width = int(self.config["embed_dim"])
        self.images: Encoder = Pixels(height, width)
        self.texts: Encoder = tokens(self.config)
        self.module = student_module(clip, mean, std)


def named_config(model: str, pretrained: str | None) -> dict[str, Any]:
    """open_clip's own config of a model name."""
    check_model_name(model)
    if pretrained is not None:
        check_pretrained(model, pretrained)
    config: dict[str, Any] | None = import_open_clip().get_model_config(model)
    if config is None:
        raise KdbenchError(f"open_clip has no config for {model!r}")
    return config


def build(model: str | None, config: dict[str, Any], pretrained: str | None) -> Any:
    """The open_clip model, its initial weights drawn from torch's global generator."""
    open_clip = import_open_clip()
    with hushed():
        if model is not None:
            return open_clip.create_model(model, pretrained=pretrained, force_preprocess_cfg={})
        from open_clip.model import CLIP, CustomTextCLIP

        vision, text = dict(config["vision_cfg"]), dict(config["text_cfg"])
        if text.get("hf_model_name"):
            clip = CustomTextCLIP(config["embed_dim"], vision, text)
        else:
            clip = CLIP(config["embed_dim"], vision, text)
        if pretrained is not None:
            open_clip.load_checkpoint(clip, pretrained, weights_only=True)
        return clip


def image_size(clip: Any) -> tuple[int, int]:
    """Height and width of what the image tower reads, in pixels."""
    size = clip.visual.image_size
    return (int(size[0]), int(size[1])) if isinstance(size, tuple | list) else (int(size), int(size))


def tokens(config: dict[str, Any]) -> Tokens:
    """The tokenizer that open_clip gives to this text tower. Raises KdbenchError where the vocabulary is too small."""
    import_open_clip()
    text = config["text_cfg"]
    length = int(text.get("context_length", 77))
    if text.get("hf_tokenizer_name"):
        from open_clip.tokenizer import HFTokenizer

        name = text["hf_tokenizer_name"]
        tokenizer: Any = HFTokenizer(name, context_length=length, **text.get("tokenizer_kwargs", {}))
        needed = len(tokenizer.tokenizer)
    else:
        from open_clip.tokenizer import SimpleTokenizer

        name = "clip-bpe"
        tokenizer = SimpleTokenizer(context_length=length, **text.get("tokenizer_kwargs", {}))
        needed = tokenizer.vocab_size
    vocabulary = int(text.get("vocab_size", 49408))
    if not text.get("hf_model_name") and vocabulary < needed:
        raise KdbenchError(f"text_cfg.vocab_size: found {vocabulary}, expected at least the {needed} tokens of {name}")
    return Tokens(tokenizer, f"{name} {length} {sorted(text.get('tokenizer_kwargs', {}).items())}")


def student_module(clip: Any, mean: Any, std: Any) -> StudentModule:
    """Wraps the model so that it reads uint8 pixels and int32 tokens and returns unit vectors."""
    import torch
    from torch import Tensor, nn

    class OpenClipModule(nn.Module):
        """uint8 [B, H, W, 3] and int32 [B, context] to unit vectors [B, d]."""

        mean: Tensor
        std: Tensor

        def __init__(self) -> None:
            super().__init__()
            # Stored pixels are channels-last already; convolutions in that order take 0.7 of the time.
            self.clip = clip.to(memory_format=torch.channels_last)
            self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
            self.register_buffer("std", 255 * torch.tensor(std).view(1, 3, 1, 1), persistent=False)

        @property
        def logit_scale(self) -> Tensor:
            scale: Tensor = self.clip.logit_scale
            return scale

        def encode_image(self, images: Tensor) -> Tensor:
            pixels = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
            vectors: Tensor = self.clip.encode_image(pixels, normalize=True)
            return vectors

        def encode_text(self, texts: Tensor) -> Tensor:
            vectors: Tensor = self.clip.encode_text(texts.long(), normalize=True)
            return vectors

    return OpenClipModule()


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [Offer("openclip", OpenClip, "any open_clip model by name, or an inline open_clip config")]
