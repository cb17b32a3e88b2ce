"""The U-Net's levels."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from kdbench_plugins.forecasters.unet_network import UNet


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_the_count_of_parameters_follows_from_width_and_depth(depth: int) -> None:
    model = UNet(1, 2, 1, 8, depth, periodic=True)

    def twice(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + 9 * outputs**2 + 2 * 3 * outputs  # two convolutions; a bias, a scale and a shift each

    widths = [8 * 2**level for level in range(depth + 1)]
    down = sum(twice(inputs, outputs) for inputs, outputs in zip([1, *widths], widths, strict=False))
    up = sum(twice(fine + coarse, fine) for fine, coarse in pairwise(widths))
    assert sum(parameter.numel() for parameter in model.parameters()) == down + up + 8 * 2 + 2


def test_the_latent_map_is_the_coarsest() -> None:
    _, latent = UNet(2, 2, 1, 2, 3, periodic=True).with_latent(torch.zeros(1, 2, 1, 16, 8))
    assert latent.shape == (1, 16, 2, 1)
