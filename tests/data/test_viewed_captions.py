"""All views of a split's captions as one sequence: words are left out, the same however rows are read."""

from __future__ import annotations

import pytest

from kdbench.data.viewed_captions import ViewedCaptions
from kdbench.suite.settings import Views

CAPTIONS = ["a dog runs on the beach", "one", "two  words", "", "a man in a red coat reads a very long letter to his son"]
DATASET = "0" * 64


def views(count: int = 5, drop_words: float = 0.3, dataset: str = DATASET) -> ViewedCaptions:
    return ViewedCaptions(CAPTIONS, Views(count=count, drop_words=drop_words), dataset)


def test_rows_do_not_depend_on_what_is_read_beside_them() -> None:
    found = views()[:]
    assert len(found) == len(views()) == 5 * len(CAPTIONS)
    assert [views()[row] for row in range(-len(found), 0)] == found
    assert views()[7:13] == found[7:13]
    with pytest.raises(IndexError, match="view 25 of 25"):
        views()[25]


def test_words_stay_in_order_and_one_at_least() -> None:
    for drop_words in (0.05, 0.5, 0.99):
        for row, text in enumerate(views(40, drop_words)):
            words = iter(CAPTIONS[row % len(CAPTIONS)].split())
            assert all(word in words for word in text.split())  # a subsequence: the iterator goes on from the last one found
            assert bool(text) == bool(CAPTIONS[row % len(CAPTIONS)])


def test_the_share_of_words_left_out() -> None:
    count, words = 400, len(CAPTIONS[-1].split())
    found = views(count, 0.3)
    kept = sum(len(found[view * len(CAPTIONS) + len(CAPTIONS) - 1].split()) for view in range(count)) / (count * words)
    assert abs(kept - 0.7) < 4 * (0.3 * 0.7 / (count * words)) ** 0.5


def test_more_views_begin_with_the_same_ones_and_other_settings_are_others() -> None:
    assert views(9)[: 5 * len(CAPTIONS)] == views(5)[:]
    for other in (views(drop_words=0.4), views(dataset="1" * 64), views(9)):
        assert other.identity != views().identity
    assert views(dataset="1" * 64)[:] != views()[:]


def test_captions_with_the_same_words_lose_each_their_own() -> None:
    twice = ViewedCaptions([CAPTIONS[-1]] * 2, Views(count=40, drop_words=0.3), DATASET)
    first, second = twice[::2], twice[1::2]
    assert sum(one != other for one, other in zip(first, second, strict=True)) > 30
