"""Embeddings that an exported model gave are evaluated as if the student had given them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from kdbench.tasks.retrieval.embeddings import student_embeddings
from kdbench_plugins.exporters.outputs import Embedded, encoded_as, furthest
from tests.support.toys import encoded, rank_split, toy


def test_the_ranks_are_those_of_the_embeddings(tmp_path: Path) -> None:
    student = toy()
    split = encoded(tmp_path, student, "test")
    embeddings = student_embeddings(student, split, 7, "cpu")
    found = rank_split(Embedded(student, embeddings), encoded_as(embeddings, split))
    expected = rank_split(student, split)
    np.testing.assert_array_equal(found.text, expected.text)
    np.testing.assert_array_equal(found.image, expected.image)


def test_the_largest_difference_counts() -> None:
    one = np.zeros((2, 3), dtype=np.float32), np.zeros((4, 3), dtype=np.float32)
    other = one[0] + np.float32(0.25), one[1] - np.float32(0.5)
    assert furthest(one, other) == 0.5
    other[0][1, 1] = math.nan
    assert math.isnan(furthest(one, other))
