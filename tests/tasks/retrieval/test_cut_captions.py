"""Captions that an encoder cuts are counted, also those that become equal by it, and told."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.data.dataset import CachedDataset
from kdbench.errors import KdbenchWarning
from kdbench.storage.cache import Cache
from kdbench.tasks.retrieval.cut_captions import count, in_words, warn_of_cuts
from kdbench.testing import Shapes


class FirstWords:
    """Reads the numbers of the first `length` words; 0 is no word."""

    modality = "text"
    base = None

    def __init__(self, length: int) -> None:
        self.length, self.key, self.asked = length, f"first {length}", 0

    def cut(self, captions: list[str]) -> tuple[Any, Any]:
        self.asked += 1
        words = [[1 + sum(word.encode()) for word in caption.split()] for caption in captions]
        left = np.array([[*some[: self.length], *[0] * (self.length - len(some))] for some in words])
        return np.array([len(some) > self.length for some in words]), left


def slow_count(length: int, captions: list[str]) -> tuple[int, int]:
    """Every caption compared with every other."""
    cut = [caption for caption in captions if len(caption.split()) > length]
    alike = [one for one in cut if any(one != other and one.split()[:length] == other.split()[:length] for other in captions)]
    return len(cut), len(alike)


@settings(max_examples=200)
@given(
    st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(" ".join), min_size=1, max_size=12), st.integers(1, 4)
)
def test_counts_equal_those_of_all_pairs(captions: list[str], length: int) -> None:
    found = count(FirstWords(length), captions)
    assert (found["cut"], found["alike"]) == slow_count(length, captions)
    assert (found["captions"], found["context"]) == (len(captions), length)


def test_in_words() -> None:
    said = in_words("test", captions=1200, cut=6, alike=4, context=16)
    assert said == (
        "6 of 1,200 captions of the test split are longer than the context of 16 tokens and are cut; "
        "4 of them are then equal to another caption"
    )
    assert in_words("test", captions=3, cut=1, alike=0, context=9).endswith("are cut")


def test_told_of_the_encoder_at_the_bottom_counted_once_and_cached(tmp_path: Path) -> None:
    """A trained tower reads tokens: its tokenizer cuts."""

    class Tower:
        modality, base, key = "text", FirstWords(2), "tower"

    for encoder in (Tower(), Tower()):
        data = CachedDataset(Shapes(), Cache(tmp_path))
        with pytest.warns(KdbenchWarning, match=r"captions of the train split are longer than the context of 2 tokens"):
            warn_of_cuts(data, encoder, "train")  # type: ignore[arg-type]
    assert Tower.base.asked == 1


def test_nothing_is_said_where_nothing_is_cut_or_known(tmp_path: Path) -> None:
    class Unknown:
        modality, base, key = "text", None, "unknown"

    data = CachedDataset(Shapes(), Cache(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_cuts(data, FirstWords(40), "train")  # type: ignore[arg-type]
        warn_of_cuts(data, Unknown(), "train")  # type: ignore[arg-type]
