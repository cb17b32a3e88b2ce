"""Items picked from several sequences: equal to those of the concatenation, in any order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.data.picked import Picked, PickedRows
from kdbench.storage.memory_map import take

PARTS = [np.arange(12).reshape(4, 3), np.arange(12, 27).reshape(5, 3), np.arange(27, 30).reshape(1, 3)]
places = st.lists(st.integers(0, 9), max_size=15).map(lambda found: np.array(found, dtype=np.int64))


@given(places)
def test_rows_are_those_of_the_whole(some: Any) -> None:
    rows, whole = PickedRows(PARTS, some), np.concatenate(PARTS)[some]
    assert (len(rows), rows.shape, rows.dtype) == (len(some), whole.shape, whole.dtype)
    np.testing.assert_array_equal(rows[:], whole)
    np.testing.assert_array_equal(np.asarray(rows), whole)
    np.testing.assert_array_equal(np.asarray(rows, dtype=np.float32), whole.astype(np.float32))
    np.testing.assert_array_equal(rows[1:-2], whole[1:-2])
    wanted = np.arange(len(some))[::-2].copy()
    np.testing.assert_array_equal(take(rows, wanted), whole[wanted])
    for index in range(len(some)):
        np.testing.assert_array_equal(rows[index], whole[index])


@given(places)
def test_items_are_those_of_the_whole(some: Any) -> None:
    parts = ["abcd", "efghi", "j"]
    items, whole = Picked(parts, some), ["abcdefghij"[place] for place in some]
    assert (list(items), items[2:], [items[index] for index in range(-len(some), 0)]) == (whole, whole[2:], whole)
    with pytest.raises(IndexError, match=f"item {len(some)} of {len(some)}"):
        items[len(some)]


def test_rows_of_memory_maps(tmp_path: Path) -> None:
    maps = []
    for number, part in enumerate(PARTS):
        np.save(tmp_path / f"{number}.npy", part.astype(np.uint8))
        maps.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    rows = PickedRows(maps, np.array([9, 0, 4]))
    assert rows[:].tolist() == [[27, 28, 29], [0, 1, 2], [12, 13, 14]]
    assert rows.dtype == np.uint8
