"""Types and ranges in student configs, against a slow oracle and against what open_clip can build."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench import KdbenchError
from kdbench.errors import ParameterError
from kdbench_plugins.students.clip_types import check_values, in_words, known_types
from kdbench_plugins.students.openclip import OpenClip, check
from tests.support.config_inputs import KEYS, PARTS, Change, changes, config_agrees, json_values, keys, types_agree
from tests.support.fuzzing import some


@pytest.mark.parametrize("part", PARTS)
def test_every_key_has_a_type_in_words(part: str) -> None:
    for key, of in known_types(part).items():
        if part or key not in ("vision_cfg", "text_cfg", "return"):
            assert "typing" not in in_words(of), key
            assert "<" not in in_words(of), key


@given(keys, json_values)
@settings(max_examples=400)
def test_types_are_those_of_the_oracle(where: tuple[str, str], value: Any) -> None:
    types_agree(where, value)


@given(changes)
@some
def test_any_config_passes_or_is_refused_at_its_place(given: list[Change]) -> None:
    config_agrees(given)


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
