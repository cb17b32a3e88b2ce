"""Concepts of captions, and how often they occur together: CVSE's consensus (Wang et al., ECCV 2020) by counting words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

WORD = re.compile(r"[^\W\d_]{3,}")  # of three letters or more
COMMON = 0.5  # a word of more than this share of the captions says nothing about any of them


def words_of(caption: str) -> set[str]:
    """The words of a caption in small letters."""
    return set(WORD.findall(caption.lower()))


def concepts_of(captions: Sequence[str], count: int) -> list[str]:
    """The `count` words that occur in the most captions, by frequency and then by the alphabet; fewer if there are fewer."""
    seen = Counter(word for caption in captions for word in words_of(caption))
    useful = [(-times, word) for word, times in seen.items() if times <= COMMON * len(captions)]
    return [word for _, word in sorted(useful)[:count]]


def correlations(captions: Sequence[str], count: int) -> NDArray[Any]:
    """[count, count]: row i is proportional to the probability of each concept in a caption that has concept i.

    Rows sum to 1. Concepts that the captions do not have are correlated with themselves alone.
    """
    import numpy as np

    place = {word: index for index, word in enumerate(concepts_of(captions, count))}
    together = np.zeros((count, count))
    for caption in captions:
        named = sorted(place[word] for word in words_of(caption) if word in place)
        together[np.ix_(named, named)] += 1
    missing = together.diagonal() == 0
    together[missing, missing] = 1
    likely = together / together.diagonal()[:, None]
    found: NDArray[Any] = (likely / likely.sum(axis=1, keepdims=True)).astype(np.float32)
    return found
