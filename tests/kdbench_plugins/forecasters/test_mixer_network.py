"""The MLP-Mixer's blocks."""

from __future__ import annotations

import torch

from kdbench_plugins.forecasters.mixer_network import Block, Mixer


def test_a_block_mixes_positions_and_channels() -> None:
    torch.manual_seed(0)
    block, values = Block(6, 4), torch.randn(1, 6, 4)
    changed = values.clone()
    changed[0, 2, 1] += 1
    assert ((block(values) - block(changed)).abs() > 1e-6).all()


def test_the_count_of_parameters_follows_from_its_sizes() -> None:
    width, depth, patch, positions = 8, 3, 2, 16
    model = Mixer(1, 2, 1, 8, width, depth, patch)
    block = 2 * positions * (positions // 2) + positions // 2 + positions + 4 * width**2 + 3 * width + 4 * width
    ends = (patch**2 + 1) * width + 2 * width + (width + 1) * 2 * patch**2
    assert sum(parameter.numel() for parameter in model.parameters()) == depth * block + ends
