"""What all networks of forecasters have in common: shapes, latent maps, the torus, and that they learn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kdbench import PluginError
from kdbench_plugins.forecasters.alternet_network import AlterNet
from kdbench_plugins.forecasters.mixer_network import Mixer
from kdbench_plugins.forecasters.network import Network
from kdbench_plugins.forecasters.simvp_network import SimVP
from kdbench_plugins.forecasters.unet_network import UNet

HISTORY, HORIZON, FIELDS, SIZE = 3, 5, 2, 16
CONVOLUTIONAL = ("unet", "simvp", "st_alternet")
ALL = (*CONVOLUTIONAL, "mlp_mixer")


def network(name: str, periodic: bool = True) -> Network:
    torch.manual_seed(0)
    frames = (HISTORY, HORIZON, FIELDS)
    if name == "unet":
        return UNet(*frames, 4, 2, periodic=periodic)
    if name == "simvp":
        return SimVP(*frames, 4, 16, 2, (3, 5), periodic=periodic)
    if name == "st_alternet":
        return AlterNet(*frames, 4, 16, 2, 4, periodic=periodic)
    return Mixer(*frames, SIZE, 16, 2, 4)


def fields(batch: int = 2) -> Tensor:
    """Smooth random fields, [B, history, C, size, size]."""
    generator = torch.Generator().manual_seed(1)
    return torch.nn.functional.interpolate(
        torch.randn(batch * HISTORY, FIELDS, 4, 4, generator=generator), size=SIZE, mode="bicubic"
    ).reshape(batch, HISTORY, FIELDS, SIZE, SIZE)


def shifted(values: Tensor, rows: int, columns: int) -> Tensor:
    return torch.roll(values, (rows, columns), (-2, -1))


@pytest.mark.parametrize("name", ALL)
def test_shapes_and_determinism(name: str) -> None:
    model, frames = network(name), fields()
    forecast, latent = model.with_latent(frames)
    assert forecast.shape == (2, HORIZON, FIELDS, SIZE, SIZE)
    assert latent.shape == (2, model.channels, SIZE // 4, SIZE // 4)
    assert torch.equal(model(frames), forecast)
    assert torch.equal(network(name)(frames), forecast)


@pytest.mark.parametrize("name", ALL)
def test_samples_do_not_see_each_other(name: str) -> None:
    model, frames = network(name), fields()
    torch.testing.assert_close(model(frames)[1:], model(frames[1:]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_shifting_fields_on_the_torus_shifts_the_forecast(name: str) -> None:
    model, frames = network(name), fields()
    shift = (model.multiple, 2 * model.multiple)
    forecast, latent = model.with_latent(frames)
    moved, moved_latent = model.with_latent(shifted(frames, *shift))
    torch.testing.assert_close(moved, shifted(forecast, *shift), atol=1e-5, rtol=0)
    torch.testing.assert_close(moved_latent, shifted(latent, shift[0] // 4, shift[1] // 4), atol=1e-5, rtol=0)
    bounded = network(name, periodic=False)
    assert (bounded(shifted(frames, *shift)) - shifted(bounded(frames), *shift)).abs().max() > 1e-3


@pytest.mark.parametrize("name", ALL)
def test_the_forecast_is_a_change_from_the_last_frame(name: str) -> None:
    model, frames = network(name), fields()
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(model(frames), frames[:, -1:].expand(-1, HORIZON, -1, -1, -1))


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_learns_and_steps_lower_the_loss(name: str) -> None:
    model, frames = network(name), fields()
    truth = shifted(frames[:, -1:], 1, 0).expand(-1, HORIZON, -1, -1, -1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = (model(frames) - truth).square().mean()
        loss.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", ALL)
def test_a_grid_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match=r"found fields on 18 × 16 points; expected sides of at least \d+, multiples of"):
        network(name)(torch.zeros(1, HISTORY, FIELDS, 18, 16))
