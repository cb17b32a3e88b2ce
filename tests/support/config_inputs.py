"""Values in student configs of open_clip's format, and a slow oracle of what is right."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import strategies as st

from kdbench.errors import ParameterError
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_config import checked_config
from kdbench_plugins.students.clip_types import CHOICES, POSITIVE, SHARES, check_values, known_types

PARTS = ("", "vision_cfg", "text_cfg")
OTHERS = ("vision_cfg", "text_cfg", "return")  # among the types, and no values
KEYS: list[tuple[str, str]] = [(part, key) for part in PARTS for key in known_types(part) if key not in OTHERS]
# What open_clip's defaults do not show: keys that are null by default, lists beside numbers, null beside strings.
NULL = {"ls_init_value": float, "act_kwargs": dict, "norm_kwargs": dict, "block_type": str, "timm_model_name": str} | {
    "timm_drop_path": float,
    "hf_tokenizer_name": str,
    "tokenizer_mode": str,
    "tokenizer_kwargs": dict,
    "hf_model_name": str,
    "init_logit_bias": float,
}
LISTS = {"layers": 4, "image_size": 2}
TOP = {"embed_dim": int, "quick_gelu": bool, "init_logit_scale": float, "nonscalar_logit_scale": bool, "output_dict": bool} | {
    "custom_text": bool
}
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10**20) | st.floats(-2, 1e6) | st.sampled_from(["no", "16", "1e-3", "avg", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def kind_of(part: str, key: str) -> type:
    """The type of a key by its default, the slow way."""
    if key in NULL:
        return NULL[key]
    if not part:
        return TOP[key]
    open_clip = import_open_clip()
    config_class = open_clip.CLIPVisionCfg if part == "vision_cfg" else open_clip.CLIPTextCfg
    [default] = [field.default for field in fields(config_class) if field.name == key]
    return type(default)


def oracle(part: str, key: str, value: Any) -> bool:
    """Whether a value is right, without pydantic and without annotations."""
    kind = kind_of(part, key)
    if value is None:
        return key in NULL or key in ("timm_proj", "patch_size")
    if isinstance(value, list):
        whole = all(type(item) is int and item > 0 for item in value)
        return part == "vision_cfg" and len(value) == LISTS.get(key) and whole
    right = type(value) in (int, float) if kind is float else type(value) is kind
    if right and key in POSITIVE:
        right = value > 0
    if right and key in SHARES:
        right = 0 <= value < 1
    if right and isinstance(value, str):
        right = value in CHOICES.get(part, {}).get(key, (value,))
    return right


keys: st.SearchStrategy[tuple[str, str]] = st.sampled_from(KEYS)


def types_agree(where: tuple[str, str], value: Any) -> None:
    """A value passes exactly if the oracle says so; otherwise the message names its place and says what was found."""
    part, key = where
    value = json.loads(json.dumps(value))
    path = ("config", *([part] if part else []))
    if oracle(part, key, value):
        check_values(part, {key: value}, path)
        return
    with pytest.raises(ParameterError) as caught:
        check_values(part, {key: value}, path)
    assert caught.value.path == (*path, key)
    assert f"{'.'.join(map(str, caught.value.path))}: found {value!r}; expected " in str(caught.value)


Change = tuple[tuple[str, ...], Any]  # the place of a value in a config, and the value
WHOLE: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 16, "head_width": 8, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 6, "width": 8, "heads": 2, "layers": 1},
}
places = keys.map(lambda where: tuple(name for name in where if name)) | st.sampled_from(
    [("vision_cfg",), ("text_cfg",), ("multimodal_cfg",), ("embed_dims",), ("vision_cfg", "img_size"), ("text_cfg", "head")]
)
changes: st.SearchStrategy[list[Change]] = st.lists(st.tuples(places, json_values), max_size=3)


def config_agrees(given: list[Change]) -> None:
    """A whole config is refused with a place in it, or passes as it is; then the oracle finds each of its values right."""
    config = deepcopy(WHOLE)
    for (*parts, key), value in given:
        inside = config[parts[0]] if parts else config
        if isinstance(inside, dict):
            inside[key] = value
    try:
        found, refusal = checked_config(config), None
    except ParameterError as error:
        found, refusal = {}, error
    if refusal is not None:
        assert refusal.path[0] == "config"
        assert str(refusal).startswith("student openclip: config")
        return
    assert found == config
    for part in PARTS:
        for key, value in (config[part] if part else config).items():
            assert key in ("vision_cfg", "text_cfg") or oracle(part, key, value), (part, key, value)
