"""What queries are resampled in."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval.units import units_of


def test_concepts_given_hold_images_and_captions_together() -> None:
    units = units_of({"images": 3, "captions": 4}, (np.array([70, 70, 9]), np.array([9, 70, 70, 5])))
    assert (units.images.tolist(), units.captions.tolist(), units.count, units.note) == ([2, 2, 1], [1, 2, 2, 0], 3, "")


def test_karpathys_layout_is_assumed_and_said() -> None:
    units = units_of({"images": 2, "captions": 6, "concepts": 2})
    assert (units.images.tolist(), units.captions.tolist(), units.count) == ([0, 1], [0, 0, 0, 1, 1, 1], 2)
    assert "Karpathy's layout" in units.note
    assert "3 an image" in units.note


@pytest.mark.parametrize("sizes", [{"images": 4, "captions": 6}, {"images": 4, "captions": 8, "concepts": 2}])
def test_queries_are_independent_where_nothing_is_known(sizes: dict[str, int]) -> None:
    units = units_of(sizes)
    assert units.count == sizes["images"] + sizes["captions"]
    assert np.concatenate([units.images, units.captions]).tolist() == list(range(units.count))
    assert "independent" in units.note


def test_units_of_another_split_are_refused() -> None:
    with pytest.raises(KdbenchError, match="units of 3 images and 4 captions given, the records have 3 and 5"):
        units_of({"images": 3, "captions": 5}, (np.zeros(3), np.zeros(4)))
