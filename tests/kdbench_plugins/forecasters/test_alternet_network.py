"""ST-AlterNet's bands and attention."""

from __future__ import annotations

import torch

from kdbench_plugins.forecasters.alternet_network import Attention, Block, bands, enlarge


def test_bands_are_complementary() -> None:
    values = torch.randn(2, 3, 8, 6)
    low, high = bands(values)
    torch.testing.assert_close(enlarge(low) + high, values)
    torch.testing.assert_close(bands(high)[0], torch.zeros_like(low))
    constant = torch.full((1, 1, 4, 4), 3.0)
    assert torch.equal(bands(constant)[1], torch.zeros_like(constant))


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    layer, values = Attention(8, 2, periodic=True), torch.randn(2, 8, 3, 4)
    oracle = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    assert layer.read.bias is not None
    assert layer.out.bias is not None
    with torch.no_grad():
        oracle.in_proj_weight.copy_(layer.read.weight.flatten(1))
        oracle.in_proj_bias.copy_(layer.read.bias)
        oracle.out_proj.weight.copy_(layer.out.weight.flatten(1))
        oracle.out_proj.bias.copy_(layer.out.bias)
    rows = (values + layer.position(values)).flatten(2).transpose(1, 2)
    expected = oracle(rows, rows, rows)[0].transpose(1, 2).reshape(values.shape)
    torch.testing.assert_close(layer(values), expected, atol=1e-5, rtol=1e-4)


def test_a_block_sees_the_whole_map() -> None:
    torch.manual_seed(0)
    block, values = Block(4, 2, periodic=True), torch.randn(1, 4, 16, 16)
    changed = values.clone()
    changed[..., 0, 0] += 5
    assert (block(values) - block(changed)).abs()[..., 8, 8].max() > 1e-6
