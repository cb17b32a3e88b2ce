"""The properties of a forecaster."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from kdbench.storage.checkpoint import save_weights
from kdbench.tasks.forecasting.borders import checked_both, checked_forecast, checked_forecaster
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench.testing.findings import Broken, Finding, Property, Waives, examine, furthest, one_thread

Build = Callable[[], Forecaster]
GRID = (16, 16)  # for forecasters of any grid
SAMPLES = 3
CLOSE = 1e-4


class Examined:
    """Builds a forecaster with a seed, and draws frames for it."""

    def __init__(self, build: Build) -> None:
        self._build = build

    def built(self, seed: int = 3) -> Forecaster:
        torch.manual_seed(seed)
        return self._build()

    @cached_property
    def first(self) -> Forecaster:
        return self.built()

    @cached_property
    def frames(self) -> Tensor:
        own = self.first
        grid = getattr(own, "grid", None) or GRID
        generator = torch.Generator().manual_seed(0)
        return torch.randn(SAMPLES, own.history, own.channels, *grid, generator=generator)

    def forecast(self, module: Any, rows: slice = slice(None)) -> Tensor:
        """In eval mode, without gradients."""
        with torch.no_grad():
            found: Tensor = module.eval()(self.frames[rows])
        return found


def valid(of: Examined) -> None:
    """It states its form, and returns forecasts and latent maps of this form, in training and in eval mode."""
    own = checked_forecaster(of.first)
    for training in (True, False):
        cast(nn.Module, own.module).train(training)
        checked_both(own, own.module.with_latent(of.frames), of.frames)
        checked_forecast(own, own.module(of.frames), of.frames)


def one_pass(of: Examined) -> None:
    """`with_latent` returns the forecast that the module itself returns."""
    expected = of.forecast(of.first.module)
    with torch.no_grad():
        found, _ = of.first.module.with_latent(of.frames)
    if not torch.allclose(found, expected, rtol=0, atol=CLOSE):
        raise Broken(f"{SAMPLES} samples: {furthest(found, expected)}")


def seeded(of: Examined) -> None:
    """The same seed gives the same initial weights, another seed others."""
    one, again, other = (cast(nn.Module, of.built(seed).module).state_dict() for seed in (3, 3, 4))
    for name, value in one.items():
        if not torch.equal(value, again[name]):
            raise Broken(f"{name}, built twice with one seed: {furthest(again[name], value)}")
    if all(torch.equal(value, other[name]) for name, value in one.items()):
        raise Broken("seeds 3 and 4: found the same weights, expected others")


def teachable(of: Examined) -> None:
    """The forecast has a gradient at the parameters, and the latent map at some of them."""
    own = of.built()
    module = cast(nn.Module, own.module).train()
    learns = [value for value in module.parameters() if value.requires_grad]
    for what, made in zip(("forecast", "latent map"), own.module.with_latent(of.frames), strict=True):
        direction = torch.linspace(-1, 1, made.numel()).view_as(made)
        grads = torch.autograd.grad((made * direction).sum(), learns, retain_graph=True, allow_unused=True)
        if not any(grad is not None and grad.abs().sum() > 0 for grad in grads):
            raise Broken(f"from the {what}: found a gradient at none of {len(learns)} parameters")


def steady(of: Examined) -> None:
    """In eval mode a sample has the same forecast each time, alone and in a batch."""
    expected, again = of.forecast(of.first.module), of.forecast(of.first.module)
    alone = torch.cat([of.forecast(of.first.module, slice(place, place + 1)) for place in range(SAMPLES)])
    for how, found in (("again", again), ("one by one", alone)):
        if not torch.allclose(found, expected, rtol=0, atol=CLOSE):
            raise Broken(f"{SAMPLES} samples, forecast {how}: {furthest(found, expected)}")


def restored(of: Examined) -> None:
    """The weights, saved and loaded into a forecaster of another seed, give the same forecasts."""
    other = cast(nn.Module, of.built(4).module)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_weights(path, cast(nn.Module, of.first.module))
        other.load_state_dict(load_file(path))
    found, expected = of.forecast(other), of.forecast(of.first.module)
    if not torch.allclose(found, expected, rtol=0, atol=1e-6):
        raise Broken(f"after saving and loading: {furthest(found, expected)}")


def finalized(of: Examined) -> str:
    """The finalized module gives the same forecasts as the whole module."""
    own: Any = of.first
    if not hasattr(own, "finalize"):
        return "all of it is kept"
    expected, found = of.forecast(own.module), of.forecast(own.finalize())
    if not torch.allclose(found, expected, rtol=0, atol=CLOSE):
        raise Broken(f"after finalize(): {furthest(found, expected)}")
    return ""


PROPERTIES: dict[str, Property[Examined]] = {
    "forecasts and latent maps of the form it states": valid,
    "forecast and latent map of one pass": one_pass,
    "initial weights follow the seed": seeded,
    "gradients reach the parameters": teachable,
    "a forecast does not depend on its batch": steady,
    "weights survive saving and loading": restored,
    "finalizing keeps the forecasts": finalized,
}


def find(build: Build, waives: Waives = ()) -> list[Finding]:
    """The findings about a forecaster."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        return examine(PROPERTIES, Examined(build), waives)
