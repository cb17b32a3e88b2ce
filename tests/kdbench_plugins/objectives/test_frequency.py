"""`frequency`: which band an error is in, heads and grids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from kdbench import KdbenchError, Pairs
from kdbench_plugins.objectives.bands import high_band, low_band
from kdbench_plugins.objectives.frequency import Frequency
from kdbench_plugins.objectives.resized import resized
from tests.support.toys import batch_of, random_pairs

B = 3
STEP = batch_of(torch.arange(B))


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(B, *shape, generator=torch.Generator().manual_seed(seed))


def holding(*values: Tensor) -> Pairs:
    return replace(random_pairs(B, 4), internals={"maps": values})


def losses(objective: Frequency, own: Tensor, aim: Tensor, head: Any = None) -> Tensor:
    return objective.losses(holding(own), holding(aim), head, STEP)


def test_it_is_the_formula_and_zero_for_equal_maps() -> None:
    own, aim = maps(4, 8, 8), maps(4, 8, 8, seed=1)
    bands = [(band(own, 0.4) - band(aim, 0.4)).square().mean(dim=(1, 2, 3)) for band in (high_band, low_band)]
    torch.testing.assert_close(losses(Frequency(alpha=0.3, cutoff=0.4), own, aim), bands[0] + 0.3 * bands[1])
    torch.testing.assert_close(losses(Frequency(cutoff=0.4, bands="high"), own, aim), bands[0])
    torch.testing.assert_close(losses(Frequency(alpha=2.0, cutoff=0.4, bands="low"), own, aim), 2 * bands[1])
    assert losses(Frequency(), own, own).tolist() == [0.0] * B
    whole = (own - aim).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(losses(Frequency(), own, aim), whole)  # both bands with one weight: the plain squared distance


def test_an_error_of_the_low_band_has_no_high_loss() -> None:
    aim = maps(4, 8, 8)
    own = aim + low_band(maps(4, 8, 8, seed=1), 0.5)
    assert float(losses(Frequency(bands="high"), own, aim).abs().max()) < 1e-10
    assert float(losses(Frequency(bands="low"), own, aim).min()) > 0.01


def test_other_channels_have_a_head_and_other_grids_are_resized() -> None:
    assert Frequency().internal_head({"maps": [(4, 8, 8)]}, {"maps": [(4, 6, 6)]}) is None
    head: Any = Frequency().internal_head({"maps": [(4, 8, 8)]}, {"maps": [(6, 16, 16)]})
    assert head.weight.shape == (6, 4, 1, 1)
    own, aim = maps(4, 8, 8), maps(6, 16, 16, seed=1)
    expected = (head(own) - resized(aim, (8, 8))).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(losses(Frequency(), own, aim, head), expected)
    assert resized(aim, (16, 16)) is aim


def test_layers_are_chosen_and_checked() -> None:
    chosen = Frequency(layer=0, teacher_layer=-2)
    shapes = {"maps": [(4, 8, 8), (5, 4, 4)]}
    assert chosen.internal_head(shapes, shapes) is None
    own, aim = maps(4, 8, 8), maps(4, 8, 8, seed=1)
    found = chosen.losses(holding(own, maps(5, 4, 4)), holding(aim, maps(5, 4, 4)), None, STEP)
    torch.testing.assert_close(found, losses(Frequency(), own, aim))
    with pytest.raises(KdbenchError, match="teacher_layer: found 2; expected a number from -2 to 1, as the teacher exposes 2"):
        Frequency(teacher_layer=2).internal_head(shapes, shapes)
