"""open_clip's tokenizers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_clip.tokenizer import HFTokenizer

from kdbench import KdbenchError
from kdbench_plugins.tokens import cut, cut_by, identity_of, own_tokenizer, vocabulary
from tests.support.fuzzing import some


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


TEXTS = st.text(max_size=12) | st.sampled_from(["A Cat's_TAIL", "&amp; tea", "x" * 90, "", "Crème brûlée"])
OPTIONS: list[dict[str, Any]] = [
    {},
    {"context_length": 77, "tokenizer_kwargs": {"clean": "lower"}},  # what the first one says by default
    {"context_length": 6},
    {"tokenizer_kwargs": {"clean": "whitespace"}},
    {"tokenizer_kwargs": {"clean": "canonicalize"}},
    {"tokenizer_kwargs": {"additional_special_tokens": ["<concept>"]}},
]


@pytest.fixture(scope="module")
def tokenizers() -> list[tuple[Any, str]]:
    """A tokenizer of each of the options, and its identity."""
    return [(made := own_tokenizer(config(**options)), identity_of(made)) for options in OPTIONS]


@given(st.integers(0, len(OPTIONS) - 1), st.integers(0, len(OPTIONS) - 1), st.lists(TEXTS, min_size=1, max_size=4))
def test_tokenizers_of_one_identity_give_the_same_tokens(
    tokenizers: list[tuple[Any, str]], one: int, other: int, texts: list[str]
) -> None:
    (mine, identity), (yours, its) = tokenizers[one], tokenizers[other]
    assert (identity == its) == ({one, other} <= {0, 1} or one == other)
    if identity == its:
        assert mine(texts).tolist() == yours(texts).tolist()


def test_identity_does_not_change_with_use() -> None:
    tokenizer = own_tokenizer(config())
    before = identity_of(tokenizer)
    tokenizer(["words that it has not seen yet: zyzzyva"])
    assert identity_of(tokenizer) == before


@pytest.mark.parametrize("mask", ["simple", "random", "shuffle"])
def test_tokens_that_are_drawn_at_random_are_refused(mask: str) -> None:
    with pytest.raises(KdbenchError, match=f"reduction_mask: found '{mask}'"):
        own_tokenizer(config(tokenizer_kwargs={"reduction_mask": mask}))


def test_identity_follows_what_changes_tokens() -> None:
    texts: list[dict[str, Any]] = [
        {},
        {"context_length": 16},
        {"tokenizer_kwargs": {"clean": "whitespace"}},
        {"tokenizer_kwargs": {"additional_special_tokens": ["<concept>"]}},
    ]
    assert len({identity_of(own_tokenizer(config(**text))) for text in texts}) == len(texts)
    assert identity_of(own_tokenizer(config())) == identity_of(own_tokenizer(config()))


TOKENIZER = own_tokenizer({"text_cfg": {"context_length": 9}})
CANONICAL = own_tokenizer({"text_cfg": {"context_length": 9, "tokenizer_kwargs": {"clean": "canonicalize"}}})
LETTERS = st.characters(codec="utf-8", exclude_characters="<>")


@some
@given(st.lists(st.one_of(st.text(LETTERS, max_size=30), st.text("ab ,.&;", max_size=20)), min_size=1, max_size=6))
def test_what_is_cut_is_what_has_more_tokens_than_the_context(captions: list[str]) -> None:
    """Also where letters are changed before they are counted, as by lower case, entities and ligatures."""
    cut, left = cut_by(TOKENIZER, captions)
    assert cut.tolist() == [len(TOKENIZER.encode(caption)) + 2 > 9 for caption in captions]
    expected = TOKENIZER(captions).numpy()
    for row, tokens in enumerate(left):
        assert (tokens == expected[row]).all() or (not tokens.any() and not cut[row])


class Words:
    """A tokenizer of transformers: a token per word, of which 0 pads, 1 begins, 2 ends and 3 is the class."""

    pad_token_id, bos_token_id, eos_token_id, cls_token_id = 0, 1, 2, 3

    def __init__(self, left: bool = False) -> None:
        self.left = left

    def __call__(self, texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
        return {"input_ids": [[4 + len(word) for word in text.split()] for text in texts]}

    def padded(self, texts: list[str], length: int) -> Any:
        rows = []
        for words in self(texts)["input_ids"]:
            tokens = [self.bos_token_id, *words[: length - 2], self.eos_token_id]
            padding = [self.pad_token_id] * (length - len(tokens))
            rows.append([*padding, *tokens] if self.left else [*tokens, *padding])
        return np.array(rows)


def clips(context: int) -> Any:
    """open_clip's own reader in `tokenizer_mode: clips`, without a download."""
    made = HFTokenizer.__new__(HFTokenizer)
    made.tokenizer_mode, made.context_length, made.clean_fn = "clips", context, str.strip
    made.tokenizer = Words()
    return made


@some
@given(st.integers(4, 40), st.lists(st.lists(st.sampled_from(["a", "ab", "abc"]), max_size=45), min_size=1, max_size=4))
def test_what_is_cut_by_tokenizers_that_pad_elsewhere(context: int, texts: list[list[str]]) -> None:
    """With a class token after the padding, with padding before the text, and with both ends plain."""
    captions = [" ".join(words) for words in texts]
    found, _ = cut_by(clips(context), captions)
    assert found.tolist() == [len(words) + 3 > context for words in texts]
    for left in (False, True):
        found, _ = cut(Words(left).padded, context, captions)
        assert found.tolist() == [len(words) + 2 > context for words in texts]


@some
@given(st.integers(2, 30), st.lists(st.text('ab "&.,_', max_size=40), min_size=1, max_size=4))
def test_what_is_cut_without_punctuation(context: int, captions: list[str]) -> None:
    tokenizer = CANONICAL
    tokenizer.context_length = context
    found, left = cut_by(tokenizer, captions)
    assert left.shape == (len(captions), context)
    assert found.tolist() == [len(tokenizer.encode(caption)) + 2 > context for caption in captions]
