"""Concepts of captions by hand."""

from __future__ import annotations

import numpy as np

from kdbench_plugins.students.caption_concepts import concepts_of, correlations, words_of

CAPTIONS = ["A red cat", "The red dog!", "a RED ball, a ball", "cat and dog", "a cat", "it is 12", "up", "so"]


def test_words_are_of_three_letters_and_small() -> None:
    assert words_of("A RED ball, a red-ish Äpfel 1234 it") == {"red", "ball", "ish", "äpfel"}


def test_the_most_frequent_words_come_first_and_then_the_alphabet() -> None:
    assert concepts_of(CAPTIONS, 3) == ["cat", "red", "dog"]
    assert concepts_of(CAPTIONS, 99) == ["cat", "red", "dog", "and", "ball", "the"]
    assert concepts_of(["red cat", "red dog", "red ball"], 9) == ["ball", "cat", "dog"]  # all are red


def test_correlations_by_hand() -> None:
    """cat, red, dog: cat occurs three times, once with each; red three times; dog twice."""
    expected = np.array([[1, 1 / 3, 1 / 3], [1 / 3, 1, 1 / 3], [1 / 2, 1 / 2, 1]])
    np.testing.assert_allclose(correlations(CAPTIONS, 3), expected / expected.sum(axis=1, keepdims=True), rtol=1e-6)


def test_what_no_caption_has_is_correlated_with_itself() -> None:
    found = correlations(["red", "blue"], 4)
    np.testing.assert_array_equal(found, np.eye(4, dtype=np.float32))
