"""What students and teachers of forecasting must be and return."""

from __future__ import annotations

from typing import Protocol, cast

from torch import Tensor, nn

from kdbench.contracts.border import checked_tensor, described, refused, required
from kdbench.errors import PluginError
from kdbench.tasks.forecasting.forecasters import Forecaster

NUMBERS = {
    "width": "the channels of its latent map",
    "history": "the frames that it reads",
    "horizon": "the frames that it forecasts",
    "channels": "the channels of a frame",
}


class Framed(Protocol):
    """A dataset of fields, opened or not."""

    @property
    def history(self) -> int: ...
    @property
    def horizon(self) -> int: ...


def checked_forecaster(forecaster: object) -> Forecaster:
    """Raises PluginError if a student, or a teacher's model, lacks what the contract `Forecaster` asks for."""
    for name, meaning in NUMBERS.items():
        value = getattr(forecaster, name, None)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            found = "nothing" if value is None else described(value)
            raise refused(forecaster, name, found, f"{meaning}, a positive int")
    module = getattr(forecaster, "module", None)
    if not isinstance(module, nn.Module):
        raise refused(forecaster, "module", described(module), "a torch.nn.Module")
    required(module, "a forecaster's module", ["with_latent"])
    grid = getattr(forecaster, "grid", None)
    pair = isinstance(grid, tuple | list) and len(grid) == 2 and all(isinstance(side, int) and side > 0 for side in grid)
    if grid is not None and not pair:
        raise refused(forecaster, "grid", described(grid), "the (H, W) that it works on, or None")
    return cast(Forecaster, forecaster)


def check_fit(forecaster: Forecaster, data: Framed, frame: tuple[int, ...], who: str) -> None:
    """Raises PluginError if a forecaster, `who`, is of another form than the dataset, whose frames are `frame` = (C, H, W)."""
    channels, *grid = frame
    pairs = [("history", forecaster.history, data.history), ("horizon", forecaster.horizon, data.horizon)]
    pairs.append(("channels", forecaster.channels, channels))
    for name, found, expected in pairs:
        if found != expected:
            raise PluginError(f"{who}: {name}: found {found}; expected {expected}, as the dataset has")
    own = getattr(forecaster, "grid", None)
    if own is not None and list(own) != list(grid):
        raise PluginError(f"{who}: grid: found {own[0]} × {own[1]}; expected {grid[0]} × {grid[1]}, as the dataset has")


def checked_forecast(forecaster: Forecaster, made: object, frames: Tensor, method: str = "forward") -> Tensor:
    """What a module returned for frames [B, history, C, H, W]. Raises PluginError if it is no forecast of them."""
    samples, _, *frame = frames.shape
    return checked_tensor(made, forecaster.module, method, [samples, forecaster.horizon, *frame])


def checked_both(forecaster: Forecaster, made: object, frames: Tensor) -> tuple[Tensor, Tensor]:
    """What `with_latent` returned: a forecast and a latent map. Raises PluginError for anything else."""
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise refused(forecaster.module, "with_latent", described(made), "a forecast and a latent map")
    forecast = checked_forecast(forecaster, made[0], frames, "with_latent()[0]")
    latent = checked_tensor(made[1], forecaster.module, "with_latent()[1]", [len(frames), forecaster.width, None, None])
    return forecast, latent
