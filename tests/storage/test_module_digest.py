"""Digests of modules: what they see, and what they must not see."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from kdbench.storage.module_digest import described, module_digest, state_digest, structure_digest
from tests.support.toys import towers_of, toy


def test_digest_sees_every_bit_name_shape_and_type() -> None:
    def digest(**state: Tensor) -> str:
        module = nn.Module()
        for name, value in state.items():
            module.register_buffer(name, value)
        return state_digest(module)

    zeros = torch.zeros(2, 3)
    others = [
        digest(a=zeros),
        digest(b=zeros),
        digest(a=zeros.T),
        digest(a=zeros.bfloat16()),
        digest(a=-zeros),
        digest(a=zeros, b=torch.tensor(1)),
        digest(a=torch.full((2, 3), 1e-45)),
    ]
    assert len(set(others)) == len(others)
    assert digest(a=zeros) == digest(a=torch.zeros(3, 2).T)  # strides are no part of the values


def test_digest_of_one_tower() -> None:
    student = toy()
    module = towers_of(student)
    image, rest = state_digest(module, prefix="image_tower."), state_digest(module, without="image_tower.")
    module.image_tower.weight.data += 1
    assert state_digest(module, prefix="image_tower.") != image
    assert state_digest(module, without="image_tower.") == rest


def attention(heads: int = 2, causal: bool = False, **settings: Any) -> nn.Module:
    """A transformer block whose settings change no tensor of its state."""
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(8, heads, 16, batch_first=True, **settings).eval()
    mask = torch.triu(torch.full((4, 4), -math.inf), 1) if causal else torch.zeros(4, 4)
    block.register_buffer("mask", mask, persistent=False)
    return block


SETTINGS: dict[str, Callable[[], nn.Module]] = {
    "heads": partial(attention, 4),
    "causal mask": partial(attention, causal=True),
    "activation": partial(attention, activation="gelu"),
    "order of norms": partial(attention, norm_first=True),
    "epsilon": partial(attention, layer_norm_eps=1e-3),
}


@pytest.mark.parametrize("changed", SETTINGS)
def test_structure_sees_what_changes_outputs_but_no_tensor(changed: str) -> None:
    one, other = attention(), SETTINGS[changed]()
    assert state_digest(one) == state_digest(other)
    assert structure_digest(one) != structure_digest(other)
    assert module_digest(one) != module_digest(other)
    values = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(1))
    outputs = [cast(Tensor, block(values, src_mask=block.mask)) for block in (one, other)]
    assert not torch.allclose(outputs[0], outputs[1], atol=1e-6)  # else the case would show nothing


def test_two_builds_modes_and_uses_are_equal() -> None:
    one, other = attention(), attention()
    before = module_digest(one)
    one.train()
    one(torch.zeros(1, 4, 8))
    one.eval().requires_grad_(False)
    assert module_digest(one) == before == module_digest(other)


def test_a_hook_and_a_function_in_place_of_a_method_are_seen() -> None:
    plain, hooked, patched = attention(), attention(), attention()
    hooked.register_forward_hook(lambda _, __, output: 2 * output)
    patched.forward = lambda values: values
    assert len({module_digest(block) for block in (plain, hooked, patched)}) == 3


def test_what_a_closure_holds_is_seen() -> None:
    def scaled(factor: float) -> Callable[[Tensor], Tensor]:
        return lambda values: factor * values

    assert described(scaled(1.0)) == described(scaled(1.0))
    assert described(scaled(1.0)) != described(scaled(2.0))
    assert described(partial(scaled, 1.0)) != described(partial(scaled, 2.0))


def test_a_left_out_submodule_changes_nothing() -> None:
    pair, other = (nn.ModuleDict({"kept": attention(), "left": attention(heads)}) for heads in (2, 4))
    assert module_digest(pair, without="left") == module_digest(other, without="left")
    assert module_digest(pair, without="kept") != module_digest(other, without="kept")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def strict(value: Any) -> str:
    """The slow way to tell values apart: by type and content, dicts in any order."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{strict(item)}" for key, item in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(strict, value)) + "]"
    return f"{type(value).__name__} {value!r}"


@given(PLAIN, PLAIN)
def test_values_of_settings_are_told_apart_exactly(one: Any, other: Any) -> None:
    digests = [structure_digest(_holding(value)) for value in (one, other, one)]
    assert (digests[0] == digests[1]) == (strict(one) == strict(other))
    assert digests[0] == digests[2]


def _holding(value: Any) -> nn.Module:
    module = nn.Identity()
    module.setting = value
    return module


def test_another_process_finds_the_same() -> None:
    code = (
        "from torch import nn; from kdbench.storage.module_digest import structure_digest\n"
        "m = nn.Sequential(nn.GELU('tanh'), nn.MultiheadAttention(8, 2)); m.names = {'b', 'a', 'c'}\n"
        "print(structure_digest(m))"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(found[0].strip()) == 64
    assert found[0] == found[1]
