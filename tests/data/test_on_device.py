"""Copies of stored values for a device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdbench.data.on_device import moved, on_device


def test_floats_become_float32_and_integers_stay() -> None:
    assert on_device(np.ones(3, dtype=np.float16), "cpu").dtype == torch.float32
    for dtype in (np.uint8, np.int32, np.int64):
        assert on_device(np.ones(3, dtype=dtype), "cpu").numpy().dtype == dtype


def test_the_stored_values_are_not_those_of_the_tensor() -> None:
    stored = np.zeros(3, dtype=np.float32)
    on_device(stored, "cpu").fill_(1.0)
    assert stored.tolist() == [0, 0, 0]


def test_values_are_moved_as_they_are() -> None:
    values = torch.arange(6, dtype=torch.float16).reshape(2, 3)
    found = moved(values, "meta")
    assert found.device.type == "meta"
    assert (found.dtype, found.shape) == (values.dtype, values.shape)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gets_the_same_values() -> None:
    stored = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float16)
    assert np.array_equal(on_device(stored, "cuda").cpu().numpy(), stored.astype(np.float32))
