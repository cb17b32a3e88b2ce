"""Batches of fields against rows taken by hand."""

from __future__ import annotations

import numpy as np
import torch

from kdbench import FeedSettings
from kdbench.tasks.forecasting.feed import FieldFeed
from kdbench.tasks.forecasting.opened import EncodedFields
from kdbench.tasks.forecasting.scale import Scale

FRAMES = np.random.default_rng(0).normal(3, 2, size=(10, 7, 1, 4, 4)).astype(np.float32)
SCALE = Scale([3.0], [2.0], [0.0], [1.0])
DATA = EncodedFields(FRAMES, [f"t{row}" for row in range(10)], history=2, horizon=3, scale=SCALE)


def feed(share: slice = slice(None), before: int = 0) -> FieldFeed:
    return FieldFeed(DATA, FeedSettings(4, 3, 0, "cpu", lambda _: share, before))


def test_history_is_read_and_the_horizon_is_the_target() -> None:
    found = feed()
    assert found.per_epoch == 2
    for step in range(6):
        batch, (inputs,) = found.batch(step), found.inputs(step)
        assert batch.host is not None
        normal = (FRAMES[batch.host] - 3) / 2
        assert torch.allclose(inputs, torch.from_numpy(normal[:, :2]))
        assert torch.allclose(batch.targets, torch.from_numpy(normal[:, 2:5]))
        assert batch.image_ids == [f"t{row}" for row in batch.host]
        assert (len(batch), batch.progress) == (4, step / 6)
    rows = [row for step in (0, 1) for row in found.rows(step)]
    assert len(set(rows)) == 8


def test_a_rank_reads_its_rows_of_the_same_batch() -> None:
    (whole,), (part,) = feed().inputs(1), feed(slice(1, 3)).inputs(1)
    assert torch.equal(part, whole[1:3])
    assert len(feed(slice(1, 3)).batch(1)) == 4


def test_a_later_stage_begins_at_progress_zero() -> None:
    assert feed(before=5).batch(10).progress == 0.0
