"""Types and ranges in student configs, against a slow oracle and against what open_clip can build."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench.errors import ParameterError
from kdbench_plugins.openclip import import_open_clip
from kdbench_plugins.students.clip_types import CHOICES, POSITIVE, SHARES, check_values, in_words, known_types
from kdbench_plugins.students.openclip import OpenClip, check

torch.set_num_threads(1)
PARTS = ("", "vision_cfg", "text_cfg")
KEYS = [(part, key) for part in PARTS for key in known_types(part) if key not in ("vision_cfg", "text_cfg", "return")]
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
JSON = st.recursive(
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


@pytest.mark.parametrize("part", PARTS)
def test_every_key_has_a_type_in_words(part: str) -> None:
    for key, of in known_types(part).items():
        if part or key not in ("vision_cfg", "text_cfg", "return"):
            assert "typing" not in in_words(of), key
            assert "<" not in in_words(of), key


@given(st.sampled_from(KEYS), JSON)
@settings(max_examples=400)
def test_types_are_those_of_the_oracle(where: tuple[str, str], value: Any) -> None:
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


SMALL: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 16, "head_width": 8, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 6, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}
ANY: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, 1, 2, 3, 16, 0.5, -1, "no", "16", "avg", "tok", "linear", "none", {}, [32, 16]]
)
CHANGES = st.lists(
    st.tuples(st.sampled_from([(part, key) for part, key in KEYS if not key.startswith(("hf_", "attn_"))]), ANY), max_size=2
)


@given(CHANGES)
@settings(max_examples=60)
def test_what_passes_the_check_builds_and_encodes(changes: list[tuple[tuple[str, str], Any]]) -> None:
    """Nothing passes `kdbench check` and fails in the run."""
    config = deepcopy(SMALL)
    for (part, key), value in changes:
        (config[part] if part else config)[key] = value
    try:
        check(config=config)
    except KdbenchError:
        return
    with torch.random.fork_rng(devices=[]):
        student = OpenClip(config=config)
    images = student.images.encode(torch.zeros(2, 20, 20, 3, dtype=torch.uint8).numpy(), "cpu")
    assert student.module.encode_image(images).shape == (2, student.width)
    assert student.module.encode_text(student.texts.encode(["a cat", "dogs"], "cpu")).shape == (2, student.width)


@pytest.mark.parametrize(
    ("part", "key", "value", "hint"),
    [
        ("", "quick_gelu", "no", "expected true or false. YAML 1.2 reads no as text; write false"),
        ("", "quick_gelu", "On", "YAML 1.2 reads On as text; write true"),
        ("", "quick_gelu", "treu", "did you mean 'true'?"),
        ("", "embed_dim", "16", "expected a whole number. write 16 without quotes"),
        ("vision_cfg", "image_size", "48", "expected a whole number or a list of 2 whole numbers. write 48 without quotes"),
        ("vision_cfg", "pool_type", "token", "did you mean 'tok'?"),
        ("vision_cfg", "timm_drop", 1.5, "expected a share from 0 to below 1"),
        ("text_cfg", "width", 0, "expected more than 0"),
        ("text_cfg", "act_kwargs", "tanh", "expected a map or null"),
    ],
)
def test_messages_say_what_to_write(part: str, key: str, value: Any, hint: str) -> None:
    with pytest.raises(ParameterError) as caught:
        check_values(part, {key: value}, ("config",))
    assert hint in str(caught.value)
