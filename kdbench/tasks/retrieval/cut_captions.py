"""Counts the captions that a text encoder cuts, and those that become equal by it; warns of them once each."""

from __future__ import annotations

import hashlib
import json
import warnings
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdbench.contracts import Encoder, SplitName
from kdbench.contracts.encoder import root_of
from kdbench.data.dataset import CachedDataset
from kdbench.errors import KdbenchWarning
from kdbench.storage.atomic import write_text

FORMAT = 1
CHUNK = 4096  # captions read at a time
COUNTS = "counts.json"


def warn_of_cuts(data: CachedDataset, encoder: Encoder, split: SplitName) -> None:
    """Warns if the encoder, or the base that it reads, cuts captions of a split. Counted once and cached.

    An encoder without a method `cut` (see `Encoder`) is not asked.
    """
    root = root_of(encoder)
    if not hasattr(root, "cut"):
        return
    identity = {"format": FORMAT, "dataset": data.content, "split": split, "encoder": root.key}
    entry = data.cache.entry("cuts", identity, lambda folder: _write(folder, data, root, split))
    found = json.loads((entry.folder / COUNTS).read_text(encoding="utf-8"))
    if found["cut"]:
        warnings.warn(in_words(split, **found), KdbenchWarning, stacklevel=2)


def in_words(split: str, captions: int, cut: int, alike: int, context: int) -> str:
    """The counts as a sentence."""
    text = f"{cut:,} of {captions:,} captions of the {split} split are longer than the context of {context} tokens and are cut"
    return text + (f"; {alike:,} of them are then equal to another caption" if alike else "")


def count(encoder: Any, captions: Sequence[str]) -> dict[str, int]:
    """`captions` in all, those that are `cut`, those of them that are then `alike` another text's, and the `context` length."""
    rest, texts, flags, context = array("Q"), array("Q"), array("B"), 0
    for start in range(0, len(captions), CHUNK):
        some = list(captions[start : start + CHUNK])
        cut, left = encoder.cut(some)
        context = int(left.shape[1])
        for row in np.flatnonzero(left.any(axis=1)):
            rest.append(_hash(np.ascontiguousarray(left[row]).tobytes()))
            texts.append(_hash(some[row].encode(errors="surrogatepass")))
            flags.append(bool(cut[row]))
    was_cut = np.frombuffer(flags, dtype=np.uint8).astype(bool) if len(flags) else np.zeros(0, dtype=bool)
    alike = 0
    if was_cut.any():
        pairs = np.stack([np.frombuffer(rest, dtype=np.uint64), np.frombuffer(texts, dtype=np.uint64)], axis=1)
        distinct = np.unique(pairs, axis=0)[:, 0]  # what is left of each different text
        left_of, times = np.unique(distinct, return_counts=True)
        alike = int(np.isin(pairs[was_cut, 0], left_of[times > 1]).sum())
    return {"captions": len(captions), "cut": int(was_cut.sum()), "alike": alike, "context": context}


def _write(folder: Path, data: CachedDataset, encoder: Any, split: SplitName) -> None:
    write_text(folder / COUNTS, json.dumps(count(encoder, data.split(split).captions)))


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())
