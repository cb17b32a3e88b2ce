from __future__ import annotations

import numpy as np
import pytest
import torch

from kdbench.tasks.forecasting.scale import Scale

FRAMES = (1000 + np.random.default_rng(0).normal(size=(7, 3, 2, 4, 4)) * np.array([1.0, 5.0])[:, None, None]).astype(np.float32)


def test_it_is_that_of_all_frames_together() -> None:
    found = Scale.of([FRAMES[:3], FRAMES[3:4], FRAMES[4:]])
    whole = FRAMES.astype(np.float64)
    assert found.mean == pytest.approx(whole.mean(axis=(0, 1, 3, 4)), rel=1e-12)
    assert found.std == pytest.approx(whole.std(axis=(0, 1, 3, 4)), rel=1e-9)
    assert found.low == whole.min(axis=(0, 1, 3, 4)).tolist()
    assert found.high == whole.max(axis=(0, 1, 3, 4)).tolist()
    assert found.span == pytest.approx(whole.max(axis=(0, 1, 3, 4)) - whole.min(axis=(0, 1, 3, 4)))


def test_normalising_is_undone() -> None:
    scale, frames = Scale.of([FRAMES]), torch.from_numpy(FRAMES).double()
    normal = scale.normalised(frames)
    assert normal.mean(dim=(0, 1, 3, 4)).abs().max() < 1e-6
    assert torch.allclose(normal.std(dim=(0, 1, 3, 4), correction=0), torch.ones(2, dtype=torch.float64))
    assert torch.allclose(scale.restored(normal), frames, rtol=1e-12)


def test_a_channel_without_spread_is_shifted_alone() -> None:
    scale = Scale.of([np.full((2, 2, 1, 3, 3), 4.0, np.float32)])
    assert (scale.mean, scale.std, scale.span) == ([4.0], [1.0], [1.0])
