"""Forecasts of a split and their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kdbench.contracts import World
from kdbench.data.on_device import on_device
from kdbench.errors import Diverged
from kdbench.storage.memory_map import let_go
from kdbench.tasks.forecasting.borders import checked_forecast
from kdbench.tasks.forecasting.errors import errors
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench.tasks.forecasting.opened import EncodedFields
from kdbench.training.distributed import ALONE

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays


@torch.no_grad()
def evaluated_errors(
    forecaster: Forecaster,
    data: EncodedFields,
    limits: tuple[float, ...],
    rollout: int,
    batch_size: int,
    device: str,
    world: World = ALONE,
) -> Arrays:
    """The arrays of `errors` of all samples, in their order; in a `world` of several ranks, each computes a part.

    Raises Diverged if a forecast is not finite, PluginError if it has another shape than the dataset's.
    """
    own, frames = world.read(len(data.frames)), data.horizon + rollout
    parts: list[dict[str, Tensor]] = []
    for start in range(own.start, own.stop, batch_size):
        read = on_device(data.frames[start : min(start + batch_size, own.stop)], device)
        let_go(data.frames)
        observed = data.scale.normalised(read[:, : data.history])
        forecast = data.scale.restored(rolled_out(forecaster, observed, frames).float().cpu().double())
        if not torch.isfinite(forecast).all():
            raise Diverged("the forecasts are not finite")
        truth = read[:, data.history : data.history + frames].cpu().double()
        parts.append(errors(forecast, truth, data.horizon, data.scale.span, limits))
    total = len(data.frames)
    found = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {name: world.gather(values.to(device), total).cpu().numpy() for name, values in found.items()}


def rolled_out(forecaster: Forecaster, observed: Tensor, frames: int) -> Tensor:
    """Forecasts of `frames` frames, [B, frames, C, H, W]: beyond the horizon from the forecasts before, as history."""
    history = observed.shape[1]
    known = observed
    while known.shape[1] < history + frames:
        given = known[:, -history:]
        made = forecaster.module(given)
        known = torch.cat([known, checked_forecast(forecaster, made, given).to(known.dtype)], dim=1)
    return known[:, history : history + frames]
