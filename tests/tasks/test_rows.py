"""Batches of rows of arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdbench import FeedSettings
from kdbench.tasks.rows import RowBatch, RowFeed, StoredRows
from kdbench.training.distributed import World


def feed(count: int = 10, batch_size: int = 4, seed: int = 0, world: World = World()) -> RowFeed:  # noqa: B008
    inputs = np.arange(count * 6, dtype=np.float16).reshape(count, 2, 3)
    return RowFeed(inputs, np.arange(count) * 10, FeedSettings(batch_size, 3, seed, "cpu", world.read))


@given(st.integers(1, 20), st.integers(1, 8), st.integers(0, 3))
def test_an_epoch_shows_each_row_at_most_once(count: int, batch_size: int, seed: int) -> None:
    found = feed(count, batch_size, seed)
    for epoch in range(3):
        shown: list[int] = []
        for place in range(found.per_epoch):
            step = epoch * found.per_epoch + place
            batch, (inputs,) = found.batch(step), found.inputs(step)
            assert len(batch) == found.batch_size == min(batch_size, count)
            assert batch.progress == step / (3 * found.per_epoch)
            assert batch.targets.tolist() == [10 * row for row in batch.rows.tolist()]
            assert inputs.dtype == torch.float32
            assert inputs[:, 0, 0].tolist() == [6.0 * row for row in batch.rows.tolist()]
            shown += batch.rows.tolist()
        assert len(shown) == len(set(shown)) > count - found.batch_size


def test_seeds_and_epochs_shuffle_anew_and_steps_may_come_in_any_order() -> None:
    orders = {str(feed(20, 20, seed).rows(epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    straight, jumping = feed(), feed()
    expected = [straight.rows(step).tolist() for step in range(6)]
    assert [jumping.rows(step).tolist() for step in (5, 0, 3)] == [expected[5], expected[0], expected[3]]


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_read_their_shares_of_one_batch(size: int) -> None:
    whole = feed(world=World()).inputs(1)[0]
    shares = [feed(world=World(rank, size)).inputs(1)[0] for rank in range(size)]
    assert torch.cat(shares).equal(whole)


def test_a_teachers_rows_are_those_of_the_batch() -> None:
    stored = StoredRows(np.arange(20, dtype=np.float16).reshape(10, 2))
    batch = RowBatch(torch.tensor([3, 0]), torch.zeros(2), 0.0)
    (values,) = stored.outputs(batch, "cpu").tensors
    assert values.dtype == torch.float32
    assert values.tolist() == [[6.0, 7.0], [0.0, 1.0]]
    assert stored.width == 2
