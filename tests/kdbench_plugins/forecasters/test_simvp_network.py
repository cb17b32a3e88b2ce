"""SimVP's translator."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from kdbench import PluginError
from kdbench_plugins.forecasters.simvp_network import Inception, SimVP, Translator


def test_an_inception_block_sums_its_branches() -> None:
    torch.manual_seed(0)
    block, values = Inception(3, 8, 16, (1, 3, 5), periodic=True), torch.randn(2, 3, 8, 8)
    narrow = block.narrow(values)
    branches: Any = block.branches
    torch.testing.assert_close(block(values), sum(branch(narrow) for branch in branches))
    assert [branch[0].groups for branch in branches] == [8, 8, 8]
    [single] = Inception(3, 5, 16, (3,), periodic=True).branches
    assert cast(Any, single)[0].groups == 1


def test_the_translators_last_blocks_read_the_first_ones() -> None:
    translator = Translator(6, 4, 16, 3, (3,), periodic=True)
    assert [block.narrow.in_channels for block in [*translator.first, *translator.last]] == [6, 16, 16, 16, 32, 32]
    assert translator(torch.zeros(1, 6, 4, 4)).shape == (1, 4, 4, 4)


def test_the_count_of_parameters_is_that_of_the_published_code() -> None:
    """Counted there, of `Mid_Xnet` and `Encoder`; the decoder alone differs, which enlarges frames in another way."""
    model = SimVP(10, 10, 1, 16, 64, 2, (3, 5), periodic=False)
    counts = [sum(parameter.numel() for parameter in part.parameters()) for part in (model.translator, model.encoder)]
    assert counts == [63_424, 7_248]


def test_a_kernel_wider_than_the_latent_map_is_refused() -> None:
    with pytest.raises(PluginError, match="found fields on 16 × 16 points; expected sides of at least 20"):
        SimVP(1, 1, 1, 2, 8, 1, (11,), periodic=True)(torch.zeros(1, 1, 1, 16, 16))
