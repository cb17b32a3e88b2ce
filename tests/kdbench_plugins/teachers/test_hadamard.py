"""Hadamard matrices by their definition."""

from __future__ import annotations

import numpy as np
import pytest

from kdbench_plugins.teachers.hadamard import hadamard


@pytest.mark.parametrize("order", [1, 2, 4, 8, 12, 20, 24, 28, 32, 36, 40, 76, 384, 640, 768])
def test_entries_are_signs_and_rows_orthogonal(order: int) -> None:
    found = hadamard(order)
    assert found is not None
    assert set(np.unique(found)) <= {-1.0, 1.0}
    np.testing.assert_array_equal(found @ found.T, order * np.eye(order))


@pytest.mark.parametrize("order", [512, 1024, 1152, 1280, 1536])
def test_widths_of_common_models_have_one(order: int) -> None:
    assert hadamard(order) is not None


@pytest.mark.parametrize("order", [-4, 0, 3, 6, 10, 50, 92, 100])
def test_others_have_none(order: int) -> None:
    assert hadamard(order) is None
