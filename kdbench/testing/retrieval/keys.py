"""The property of keys: whatever changes the output of an encoder changes its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kdbench.contracts import Encoder, Modality
from kdbench.contracts.encoder import reads_ids
from kdbench.errors import KdbenchError
from kdbench.testing.findings import Broken, furthest
from kdbench.testing.retrieval.examined_teacher import encoded, items_of
from kdbench.testing.retrieval.one_by_one import originals
from kdbench.testing.variants import Variants

CLOSE = 1e-5  # less than the float16 of stored outputs tells apart
# Where tokenizers and their settings differ, and a text longer than most contexts.
CAPTIONS = [
    "A Photo of 2 Cats, and a dog's TAIL.",
    "  Crème  brûlée &amp; tea -- don't_wait! ",
    "many words " * 120,
    "a red circle on a dark ground",
]
Pair = Mapping[Modality, Encoder]  # the two encoders of a teacher or student


def keys_follow(pairs: Callable[[Callable[[], Any]], Pair], variants: Variants) -> str:
    """Builds every variant with `pairs` and compares encoders of equal keys with those of the unchanged plugin.

    Raises Broken if an encoder, or the base that it reads, has the key of the unchanged one but another output. Returns how
    many parameters were changed.
    """
    if not variants.changed:
        return "no parameter to change"
    known = _all_outputs(pairs(variants.unchanged))
    unbuilt = list(variants.untried)
    for name, build in variants.changed.items():
        try:
            pair = pairs(build)
        except Exception:  # a value that the plugin cannot use
            unbuilt.append(name)
            continue
        _compare(name, pair, known)
    tried = len(variants.changed) + len(variants.untried) - len(unbuilt)
    return f"{tried} parameters changed" + (f"; not {', '.join(unbuilt)}" if unbuilt else "")


def _compare(name: str, pair: Pair, known: Mapping[tuple[Modality, str], Sequence[Tensor | None]]) -> None:
    for modality in pair:
        for encoder in bases(pair[modality]):
            outputs = _outputs(encoder) if (modality, encoder.key) in known else []
            for found, unchanged in zip(outputs, known.get((modality, encoder.key), []), strict=True):
                difference = _difference(found, unchanged)
                if difference:
                    raise Broken(
                        f"{name}: the {modality} encoder {type(encoder).__name__} keeps its key, but {difference} without the "
                        "change; expected another key: equal keys share a cache entry"
                    )


def _difference(found: Tensor | None, unchanged: Tensor | None) -> str:
    if found is None or unchanged is None:
        return "" if found is unchanged else f"gives {'no' if found is None else 'an'} output, unlike"
    same = found.shape == unchanged.shape and torch.allclose(found.double(), unchanged.double(), rtol=0, atol=CLOSE)
    return "" if same else furthest(found, unchanged)


def _all_outputs(pair: Pair) -> dict[tuple[Modality, str], list[Tensor | None]]:
    """The outputs of both encoders and of their bases, by modality and key."""
    return {(modality, encoder.key): _outputs(encoder) for modality in pair for encoder in bases(pair[modality])}


def bases(encoder: Encoder | None) -> list[Encoder]:
    """The encoder's bases and itself, the first base first: what reads a wrong base is not to blame."""
    return [*bases(encoder.base), encoder] if encoder is not None else []


def _outputs(encoder: Encoder) -> list[Tensor | None]:
    """Its outputs for the kit's items and for difficult ones; None where it refuses them."""
    root = bases(encoder)[0]
    if reads_ids(encoder):
        return [_encoded(encoder, items_of(encoder.modality, ids=True))]
    inputs = [items_of(encoder.modality)]
    if encoder.modality == "text":
        inputs.append(CAPTIONS)
    elif getattr(root, "originals", False):
        inputs.append(originals())
    return [_encoded(encoder, items) for items in inputs]


def _encoded(encoder: Encoder, items: Any) -> Tensor | None:
    try:
        return encoded(encoder, items)
    except KdbenchError:  # such as a teacher that knows the captions of its dataset only
        return None
