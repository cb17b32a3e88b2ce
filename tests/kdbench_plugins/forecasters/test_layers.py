"""Layers of forecasters."""

from __future__ import annotations

import pytest
import torch

from kdbench_plugins.forecasters.layers import batched, convolution, enlarged, normed, stacked, unstacked


@pytest.mark.parametrize("stride", [1, 2])
def test_a_periodic_convolution_reads_over_the_edge(stride: int) -> None:
    torch.manual_seed(0)
    layer = convolution(1, 1, 5, stride, periodic=True)
    fields = torch.randn(1, 1, 8, 8)
    wide = fields.repeat(1, 1, 3, 3)
    valid = torch.nn.functional.conv2d(wide[..., 6:18, 6:18], layer.weight, layer.bias, stride)
    torch.testing.assert_close(layer(fields), valid)


def test_channels_that_no_number_of_groups_divides_are_normalised_together() -> None:
    assert [normed(convolution(1, width, periodic=True))[1].num_groups for width in (4, 5)] == [2, 1]


def test_a_map_is_enlarged() -> None:
    assert enlarged(3, 5, 2, periodic=False)(torch.zeros(2, 3, 4, 6)).shape == (2, 5, 8, 12)


def test_frames_are_stacked_and_unstacked() -> None:
    frames = torch.randn(2, 3, 4, 5, 6)
    assert stacked(frames).shape == (2, 12, 5, 6)
    assert torch.equal(unstacked(stacked(frames), 3), frames)
    assert torch.equal(batched(frames)[4], frames[1, 1])
