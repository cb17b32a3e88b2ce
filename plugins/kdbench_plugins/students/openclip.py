"""The student `openclip`: a two-tower open_clip model, by name or by config."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, cast

from kdbench import Encoder, KdbenchError, Offer, Student, StudentModule, hookimpl
from kdbench_plugins.checked_once import check_once
from kdbench_plugins.openclip import SCHEMAS, check_model_name, check_pretrained, import_open_clip, weight_files
from kdbench_plugins.shrink import config_of, shrunken
from kdbench_plugins.students.clip_build import attempt, check_towers, create, named_config, rehearse
from kdbench_plugins.students.clip_config import SMALL, checked_config
from kdbench_plugins.students.clip_preprocess import own_preprocess
from kdbench_plugins.students.readers import Resized, Tokens
from kdbench_plugins.tokens import own_tokenizer, vocabulary


class OpenClip:
    """Give either `model`, a name in open_clip, or `config`, such as `{embed_dim: 128, vision_cfg: {…}, text_cfg: {…}}`.

    `pretrained` are initial weights, by default random: a checkpoint file or, with `model`, one of open_clip's tags. Pictures
    are preprocessed as the model does it; a config with `model_cfg` and `preprocess_cfg`, as in an open_clip_config.json, says
    how. `grad_checkpointing` keeps the outputs of blocks alone and computes what is inside again for the gradient, which
    saves memory; with `train.micro_batch` there is little left to save.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        config: dict[str, Any] | None = None,
        pretrained: str | None = None,
        grad_checkpointing: bool = False,
    ) -> None:
        from kdbench_plugins.students.clip_module import ClipModule

        _check_parameters(model, config, pretrained)
        self.config = checked_config(config) if config is not None else named_config(str(model))
        # By name if it has one: open_clip chooses some tokenizers by the model's name.
        tokenizer = attempt("the tokenizer", lambda: own_tokenizer(model or self.config))
        check_vocabulary(self.config["text_cfg"], tokenizer)
        clip = create(model, self.config, pretrained, own_preprocess(config or {}))
        check_towers(clip, self.config, tokenizer.context_length)
        if grad_checkpointing:
            attempt("gradient checkpointing of this model", clip.set_grad_checkpointing)
        preprocess = import_open_clip().get_model_preprocess_cfg(clip)
        size = preprocess["size"]
        height, width = (size, size) if isinstance(size, int) else size
        self.width = int(self.config["embed_dim"])
        self.images: Encoder = Resized(
            height, width, preprocess["interpolation"], preprocess["resize_mode"], preprocess["fill_color"]
        )
        self.texts: Encoder = Tokens(tokenizer)
        self.module: StudentModule = ClipModule(clip, preprocess["mean"], preprocess["std"])

    def open_clip(self) -> tuple[dict[str, Any], Any]:
        """The contents of an open_clip_config.json, and open_clip's own model with the current weights.

        Its preprocessing gives the same pixels as `images` does of original pictures.
        """
        clip = cast(Any, self.module).clip
        own = import_open_clip().get_model_preprocess_cfg(clip)
        reader = cast(Resized, self.images)
        preprocess = {
            "mean": list(own["mean"]),
            "std": list(own["std"]),
            "interpolation": reader.interpolation,
            "resize_mode": reader.resize_mode,
            "fill_color": reader.fill_color,
        }
        return {"model_cfg": deepcopy(self.config), "preprocess_cfg": preprocess}, clip


def reads(
    *,
    model: str | None,
    config: dict[str, Any] | None,  # noqa: ARG001
    pretrained: str | None,
    grad_checkpointing: bool,  # noqa: ARG001
) -> list[Path]:
    """The files of the initial weights, if there are any, or the folder that describes the model."""
    return weight_files(model or "", pretrained or "") if pretrained or (model or "").startswith(SCHEMAS) else []


def check_vocabulary(text: dict[str, Any], tokenizer: Any) -> None:
    """Raises KdbenchError if the text tower has fewer rows than the tokenizer has tokens; training would fail later."""
    words, rows = 1 + max(vocabulary(tokenizer).values()), text.get("vocab_size", 49408)
    if rows < words and not text.get("hf_model_name"):  # a Hugging Face tower has its own table
        raise KdbenchError(
            f"student openclip: text_cfg.vocab_size is {rows}, expected at least {words}, the vocabulary of its "
            f"tokenizer ({type(tokenizer).__name__})"
        )


def _check_parameters(model: str | None, config: dict[str, Any] | None, pretrained: str | None) -> None:
    if (model is None) == (config is None):
        raise KdbenchError(
            "student openclip: expected either `model`, a name in open_clip, or `config`; "
            f"found {'neither' if model is None else 'both'}"
        )
    if model is not None:
        check_model_name(model)
        if pretrained is not None:
            check_pretrained(model, pretrained)
    elif pretrained is not None and not Path(pretrained).is_file():
        raise KdbenchError(f"student openclip: with a `config`, `pretrained` is a checkpoint; found no file {pretrained!r}")


def check(
    *,
    model: str | None = None,
    config: dict[str, Any] | None = None,
    pretrained: str | None = None,
    grad_checkpointing: bool = False,  # noqa: ARG001
) -> None:
    """Raises KdbenchError for errors in the parameters that can be found without weights."""
    if pretrained is not None and Path(pretrained).is_file():
        _check(model, config, pretrained)
    else:
        check_once(lambda: _check(model, config, pretrained), "student openclip", model, config, pretrained)


def _check(model: str | None, config: dict[str, Any] | None, pretrained: str | None) -> None:
    _check_parameters(model, config, pretrained)
    if config is not None:
        own = checked_config(config)
        own_preprocess(config)
        if not own["text_cfg"].get("hf_tokenizer_name"):  # another's tokenizer may have to be downloaded
            check_vocabulary(own["text_cfg"], attempt("the tokenizer", lambda: own_tokenizer(own)))
        rehearse(own)


def smoke(params: dict[str, Any]) -> dict[str, Any]:
    """The same family with one or two layers and random weights."""
    config = params["config"] or config_of(params["model"])
    if "model_cfg" not in config:
        return {"model": None, "config": shrunken(config), "pretrained": None}
    look = {key: value for key, value in config.get("preprocess_cfg", {}).items() if key != "size"}
    small = {"model_cfg": shrunken(config["model_cfg"]), "preprocess_cfg": look}
    return {"model": None, "config": small, "pretrained": None}


@hookimpl
def kdbench_students() -> list[Offer[Student]]:
    return [
        Offer(
            "openclip",
            OpenClip,
            "a two-tower open_clip model, by name or by config",
            check,
            reads=reads,
            example={"config": SMALL},
            smoke=smoke,
        )
    ]
