"""What is stored of forecasts: errors of each sample, and of each of its frames. All in float64, in the units of the data."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from kdbench.tasks.forecasting.metrics import BANDS, SUFFIX
from kdbench.tasks.forecasting.similarity import ssim
from kdbench.tasks.forecasting.spectrum import band_powers

TINY = 1e-30  # below any field's mean square: a truth of zeros has a finite relative error


def errors(forecast: Tensor, truth: Tensor, horizon: int, span: Sequence[float], limits: Sequence[float]) -> dict[str, Tensor]:
    """Arrays of B samples by name, [B] or, by frame, [B, horizon], from float64 fields [B, F, C, H, W].

    Frames beyond the `horizon` count as rollout. `span` is that of `ssim`, `limits` are those of `band_powers`.
    """
    wrong = forecast - truth
    squares, squares_of_truth = wrong.square().mean(dim=(2, 3, 4)), truth.square().mean(dim=(2, 3, 4))  # [B, F]
    within, beyond = slice(0, horizon), slice(horizon, None)
    by_frame = {
        "mse": squares[:, within],
        "mae": wrong[:, within].abs().mean(dim=(2, 3, 4)),
        "ssim": ssim(forecast[:, within], truth[:, within], span),
        "relative_l2": relative(squares[:, within], squares_of_truth[:, within]),
    }
    found = {name: values.mean(dim=1) for name, values in by_frame.items()}
    found["relative_l2"] = relative(squares[:, within].sum(dim=1), squares_of_truth[:, within].sum(dim=1))
    bands = band_powers(wrong[:, within], limits).mean(dim=(1, 2))
    found |= {f"mse_{band}": values for band, values in zip(BANDS, bands.unbind(dim=1), strict=True)}
    found |= {"mse_first": squares[:, 0], "mse_last": squares[:, horizon - 1]}
    if forecast.shape[1] > horizon:
        found["rollout_mse"] = squares[:, beyond].mean(dim=1)
        found["rollout_relative_l2"] = relative(squares[:, beyond].sum(dim=1), squares_of_truth[:, beyond].sum(dim=1))
        by_frame["rollout_mse"] = squares[:, beyond]
    return found | {f"{name}{SUFFIX}": values for name, values in by_frame.items()}


def relative(squares: Tensor, squares_of_truth: Tensor) -> Tensor:
    """‖forecast − truth‖ / ‖truth‖ from sums, or means over as many values, of squares."""
    return (squares / squares_of_truth.clamp_min(TINY)).sqrt()
