"""open_clip's tokenizers."""

from __future__ import annotations

from typing import Any

import pytest

from kdbench_plugins.tokens import identity_of, own_tokenizer, vocabulary


def config(**text: Any) -> dict[str, Any]:
    return {"embed_dim": 8, "vision_cfg": {}, "text_cfg": text}


@pytest.mark.parametrize("name", ["RN50", "ViT-B/32"])
def test_a_name_and_its_config_give_the_same_tokens(name: str) -> None:
    caption = ["A photo of 2 cats"]
    assert own_tokenizer(name)(caption).tolist() == own_tokenizer(config())(caption).tolist()
    assert identity_of(own_tokenizer(name)) == identity_of(own_tokenizer(config()))


def test_context_length_truncates_and_keeps_the_end() -> None:
    tokenizer = own_tokenizer(config(context_length=6))
    [tokens] = tokenizer(["one two three four five six seven"]).tolist()
    end = vocabulary(tokenizer)["<end_of_text>"]
    assert len(tokens) == 6
    assert tokens[-1] == end == 49407


def test_identity_follows_what_changes_tokens() -> None:
    texts: list[dict[str, Any]] = [
        {},
        {"context_length": 16},
        {"tokenizer_kwargs": {"clean": "whitespace"}},
        {"tokenizer_kwargs": {"additional_special_tokens": ["<concept>"]}},
    ]
    assert len({identity_of(own_tokenizer(config(**text))) for text in texts}) == len(texts)
    assert identity_of(own_tokenizer(config())) == identity_of(own_tokenizer(config()))
