"""open_clip's tokenizers: which one a model has, how large its vocabulary is, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kdbench_plugins.openclip import SCHEMAS, import_open_clip

# Where tokenizers differ: case, accents, entities, digits, emoji, and more words than any context length.
PROBES = ("A photo of 2 Cats.", "  Crème  brûlée &amp; don't ", "🍕 -- <|endoftext|>", "word " * 600)


def own_tokenizer(model: str | dict[str, Any]) -> Any:
    """The tokenizer of a model, by name or open_clip config; it truncates to its context_length."""
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
    """A hash of its class, context length, vocabulary, and its tokens of a few difficult texts."""
    parts = [
        type(tokenizer).__name__,
        tokenizer.context_length,
        sorted(vocabulary(tokenizer).items()),
        tokenizer(list(PROBES)).tolist(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
