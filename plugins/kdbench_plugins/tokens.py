"""open_clip's tokenizers: which one a model has, how large its vocabulary is, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from kdbench import KdbenchError
from kdbench_plugins.openclip import SCHEMAS, import_open_clip, model_config, package_version

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Where tokenizers differ: case, accents, entities, digits, emoji, and more words than any context length.
PROBES = ("A photo of 2 Cats.", "  Crème  brûlée &amp; don't ", "🍕 -- <|endoftext|>", "word " * 600)

OWN = ("open_clip_torch", "ftfy", "regex")
HUGGING_FACE = (*OWN, "transformers", "tokenizers", "sentencepiece")
# Filled by use, described by `_inner`, and contained in the vocabulary.
ELSEWHERE = {"cache", "tokenizer", "encoder", "decoder"}
DRAWN = ("simple", "random", "shuffle")  # open_clip's reduction masks that draw which tokens of a long text to keep


def own_tokenizer(model: str | dict[str, Any]) -> Any:
    """The tokenizer of a model, by name or open_clip config; it truncates to its context_length.

    Raises KdbenchError if it draws its tokens at random: tokens are computed once and kept.
    """
    config = model_config(model) if isinstance(model, str) else model
    mask = ((config or {}).get("text_cfg", {}).get("tokenizer_kwargs") or {}).get("reduction_mask")
    if mask in DRAWN:
        raise KdbenchError(
            f"text_cfg.tokenizer_kwargs.reduction_mask: found {mask!r}, which keeps other tokens of a long caption each time; "
            "expected none: captions are tokenised once. Leave it out"
        )
    return _tokenizer(model)


def _tokenizer(model: str | dict[str, Any]) -> Any:
    open_clip = import_open_clip()
    if isinstance(model, str):
        return open_clip.get_tokenizer(model if model.startswith(SCHEMAS) else model.replace("/", "-"))
    text = model["text_cfg"]
    context, more = text.get("context_length", 77), text.get("tokenizer_kwargs") or {}
    if text.get("hf_tokenizer_name"):
        from open_clip.tokenizer import HFTokenizer

        return HFTokenizer(text["hf_tokenizer_name"], context_length=context, tokenizer_mode=text.get("tokenizer_mode"), **more)
    return open_clip.SimpleTokenizer(context_length=context, **more)


def vocabulary(tokenizer: Any) -> dict[str, int]:
    """Token → number."""
    encoder: dict[str, int] = tokenizer.encoder if hasattr(tokenizer, "encoder") else tokenizer.tokenizer.get_vocab()
    return encoder


def identity_of(tokenizer: Any) -> str:
    """A hash of everything that its tokens depend on: class, settings, vocabulary, merges, rules, versions of its libraries.

    Its tokens of a few difficult texts are part of it as well, in case a setting is overlooked.
    """
    parts = [
        f"{type(tokenizer).__module__}.{type(tokenizer).__qualname__}",
        {package: package_version(package) for package in (HUGGING_FACE if hasattr(tokenizer, "tokenizer") else OWN)},
        {name: _plain(value) for name, value in sorted(vars(tokenizer).items()) if name not in ELSEWHERE},
        sorted(vocabulary(tokenizer).items(), key=itemgetter(1)),  # by number: transformers' own order is one of hashes
        _inner(getattr(tokenizer, "tokenizer", None)),
        tokenizer(list(PROBES)).tolist(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A setting as JSON; functions by their names, other objects by their classes."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        if all(type(item) is int for item in value.values()):  # merges: 48,894 of them, in the order of their numbers
            return repr(value)
        return sorted((str(key), repr(_plain(item))) for key, item in value.items())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, partial):
        return [_plain(value.func), _plain(value.args), _plain(value.keywords)]
    if hasattr(value, "pattern"):  # a compiled regular expression
        return [value.pattern, int(value.flags)]
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _inner(inner: Any) -> Any:
    """What identifies a tokenizer of transformers: all rules of a fast one, the settings of any."""
    if inner is None:
        return None
    fast = getattr(inner, "backend_tokenizer", None)
    rules = json.loads(fast.to_str()) if fast is not None else {}
    names = ("padding_side", "truncation_side", "model_max_length", "src_lang", "special_tokens_map", "add_prefix_space")
    return [
        f"{type(inner).__module__}.{type(inner).__qualname__}",
        {name: rule for name, rule in rules.items() if name not in ("truncation", "padding")},  # set by each call
        {name: repr(getattr(inner, name, None)) for name in names},
    ]


SPECIAL = 8  # most tokens that any tokenizer adds to a text
GROWS = frozenset('&"')  # letters that may become several tokens: entities, quotation marks of the mask `syntax`


def cut(tokenize: Callable[[list[str], int], NDArray[Any]], context: int, captions: Sequence[str]) -> tuple[Any, Any]:
    """Which captions are longer than `context` tokens, bool [B], and the tokens that are left of them, integers [B, context].

    `tokenize(captions, length)` gives tokens [B, length] and cuts what is longer. A caption that is certainly short enough, as
    a token stands for at least one letter of plain text, is not tokenized: its row is 0.
    """
    import numpy as np

    left = np.zeros((len(captions), context), dtype=np.int64)
    was_cut = np.zeros(len(captions), dtype=bool)
    long = [
        index
        for index, caption in enumerate(captions)
        if not caption.isascii() or not GROWS.isdisjoint(caption) or len(caption) + SPECIAL > context
    ]
    if long:
        texts = [captions[index] for index in long]
        left[long] = found = tokenize(texts, context)
        # With room for one token more, a caption that was not cut gains padding, and no other token changes.
        after, padding = _padding(tokenize, context)
        longer = np.insert(found, 0 if after is None else context - after, padding, axis=1)
        was_cut[long] = (tokenize(texts, context + 1) != longer).any(axis=1)
    return was_cut, left


def _padding(tokenize: Callable[[list[str], int], NDArray[Any]], context: int) -> tuple[int | None, int]:
    """The number of tokens after the padding, None for padding before the text, and the token that pads.

    Most tokenizers pad the end; those of `tokenizer_mode: clips` put a class token after it.
    """
    import numpy as np

    length = context + SPECIAL  # with padding, however small the context is
    short, longer = tokenize(["a"], length)[0], tokenize(["a"], length + 1)[0]
    for after, place in ((0, length), (1, length - 1), (None, 0)):
        if np.array_equal(np.insert(short, place, longer[place]), longer):
            return after, int(longer[place])
    return 0, int(longer[-1])


def cut_by(tokenizer: Any, captions: Sequence[str]) -> tuple[Any, Any]:
    """`cut` for a tokenizer of open_clip."""
    return cut(lambda texts, length: tokenizer(texts, context_length=length).numpy(), int(tokenizer.context_length), captions)
