"""Latent maps as internals of forecasters (`kdbench.contracts.internals`): the single map of the name `maps`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from kdbench.contracts import Taps
from kdbench.contracts.internals import Tap

MAPS = "maps"
POINT = "_latent_point"  # no submodule and no part of the state


def taps(module: Any) -> Taps:
    """Where the latent map of a forecaster's module is read in a forward pass of the task."""
    return {MAPS: [Tap(_point(module))]}


def passed(module: Any, latent: Tensor) -> Tensor:
    """The latent map that `with_latent` returned, after taps have read it."""
    found: Tensor = _point(module)(latent)
    return found


def _point(module: nn.Module) -> nn.Module:
    """Runs whenever the module has computed a latent map. Hooks need a part that runs, and `with_latent` is a method."""
    point: nn.Module = vars(module).setdefault(POINT, nn.Identity())
    return point
