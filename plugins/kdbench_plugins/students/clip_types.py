"""The types of the values in an open_clip config, taken from open_clip's own dataclasses and signatures.

open_clip checks none of them: a word is true where it wants a truth value, and a quoted number fails in the first step.
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Optional, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from kdbench import nearest
from kdbench.errors import ParameterError, yaml_hint
from kdbench_plugins.openclip import import_open_clip

PLUGIN = "student openclip"
# Words that open_clip compares with, where its annotation says no more than `str`.
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "vision_cfg": {
        "pool_type": ("tok", "avg", "none"),
        "pos_embed_type": ("learnable", "sin_cos_2d"),
        "block_type": ("default", "custom"),
        "timm_proj": ("linear", "mlp", "none", ""),
    },
    "text_cfg": {
        "pool_type": ("first", "last", "argmax", "eos", "none"),
        "block_type": ("default", "custom"),
        "proj_type": ("linear", "none"),
        "hf_proj_type": ("linear", "mlp"),
        "tokenizer_mode": ("clips",),
    },
}
SIZES = {"embed_dim", "image_size", "patch_size", "context_length", "vocab_size", "attn_pooler_queries", "attn_pooler_heads"}
POSITIVE = SIZES | {"layers", "width", "head_width", "heads", "mlp_ratio"}
SHARES = {"patch_dropout", "timm_drop", "timm_drop_path"}
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a string", dict: "a map", type(None): "null"}
NULLABLE = {"timm_proj", "patch_size"}  # null in configs of open_clip itself, beside the annotated type


def known_types(part: str) -> dict[str, Any]:
    """Key → type of one part of a config: "" for the whole, `vision_cfg` or `text_cfg`."""
    open_clip = import_open_clip()
    if not part:
        hints = get_type_hints(open_clip.CLIP.__init__)
        # `cast_dtype` is not data, but follows from the precision; `custom_text` is read by open_clip's factory.
        return {name: of for name, of in hints.items() if name != "cast_dtype"} | {"custom_text": bool}
    config_class = open_clip.CLIPVisionCfg if part == "vision_cfg" else open_clip.CLIPTextCfg
    hints = get_type_hints(config_class)
    nullable = NULLABLE | {field.name for field in fields(config_class) if field.default is None}
    return {field.name: _optional(hints[field.name], field.name in nullable) for field in fields(config_class)}


def defaults(part: str) -> dict[str, Any]:
    """Key → default of `vision_cfg` or `text_cfg`."""
    open_clip = import_open_clip()
    config_class = open_clip.CLIPVisionCfg if part == "vision_cfg" else open_clip.CLIPTextCfg
    return {field.name: field.default for field in fields(config_class) if field.default is not MISSING}


def check_values(part: str, found: Mapping[str, Any], path: tuple[str, ...]) -> None:
    """Raises ParameterError, with its path, for the first value of another type or beyond its range. Keys must be known."""
    known = known_types(part)
    for key, value in found.items():
        here, choices = (*path, key), CHOICES.get(part, {}).get(key)
        if not part and key in CHOICES:
            continue
        if not _fits(known[key], value):
            raise ParameterError.at(PLUGIN, here, value, in_words(known[key]), _hint(known[key], value))
        if choices and isinstance(value, str) and value not in choices:
            raise ParameterError.at(PLUGIN, here, value, f"one of {', '.join(map(repr, choices))}", nearest(value, choices))
        for number in value if isinstance(value, list | tuple) else [value]:
            if key in POSITIVE and number is not None and number <= 0:
                raise ParameterError.at(PLUGIN, here, value, "more than 0")
            if key in SHARES and number is not None and not 0 <= number < 1:
                raise ParameterError.at(PLUGIN, here, value, "a share from 0 to below 1")


def in_words(of: Any) -> str:
    """A type in the words of a suite's messages."""
    origin: Any = get_origin(of)
    if origin in (Union, types.UnionType):
        kinds = sorted(get_args(of), key=lambda one: (one is type(None), bool(get_args(one))))
        return " or ".join(in_words(one) for one in kinds)
    if origin is tuple:
        return f"a list of {len(get_args(of))} whole numbers"
    return WORDS.get(of, str(of))


def _optional(of: Any, optional: bool) -> Any:
    return Optional[of] if optional else of  # noqa: UP045  of is a value here


def _fits(of: Any, value: Any) -> bool:
    try:
        # Through JSON, where lists are tuples also in strict mode.
        TypeAdapter(of, config=ConfigDict(strict=True, allow_inf_nan=False)).validate_json(json.dumps(value))
    except ValidationError:
        return False
    return True


def _hint(of: Any, value: Any) -> str:
    kinds = {of, *get_args(of)}
    return yaml_hint(value, bool in kinds) if kinds & {bool, int, float} else ""
