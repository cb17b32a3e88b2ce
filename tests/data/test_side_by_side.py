"""Rows of several arrays as one, and a student that reads what other encoders have stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kdbench import Encoder, Modality
from kdbench.contracts.encoder import keys_of
from kdbench.data.side_by_side import SideBySide
from kdbench.storage.memory_map import take
from tests.support.toys import Projection, cached


def test_rows_and_slices_are_those_of_all_parts() -> None:
    first, second = np.arange(24).reshape(4, 2, 3), np.arange(8).reshape(4, 2)
    both, whole = SideBySide([first, second]), np.concatenate([first.reshape(4, 6), second], axis=1)
    assert len(both) == 4
    np.testing.assert_array_equal(both[1:3], whole[1:3])
    np.testing.assert_array_equal(take(both, np.array([3, 0])), whole[[3, 0]])


class Both:
    base: Encoder | None = None
    modality: Modality = "image"
    key = "both"

    def __init__(self, *parts: Encoder) -> None:
        self.parts = parts

    def encode(self, items: Any, device: str) -> Any:  # noqa: ARG002
        raise AssertionError


def test_a_students_parts_are_encoded_once_and_shared(tmp_path: Path) -> None:
    dataset, parts = cached(tmp_path), [Projection("image", 3, 0), Projection("image", 2, 1)]
    stored = [dataset.encode(part, "validation") for part in parts]
    calls = [part.calls for part in parts]
    found = dataset.inputs(Both(*parts), "validation")
    np.testing.assert_array_equal(found[:], np.concatenate(stored, axis=1))  # type: ignore[index]
    assert [part.calls for part in parts] == calls
    assert keys_of(Both(*parts)) == ["both"]
