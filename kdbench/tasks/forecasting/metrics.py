"""Metrics of forecasts. Every one is the mean of a stored array with a value per sample."""

from __future__ import annotations

from kdbench.contracts import Metric

BANDS = ("low", "middle", "high")
BY_FRAME = ("mse", "mae", "ssim", "relative_l2")  # stored for each frame as well, under these names with the suffix
SUFFIX = "_by_frame"
ROLLOUT = ("rollout_mse", "rollout_relative_l2")


def metrics(rollout: int) -> tuple[Metric, ...]:
    """All metrics, those of frames beyond the horizon only with a `rollout`."""
    found = [
        _error("mse", "MSE", "Mean squared error over the horizon.", headline=True, priority=9),
        _error("mae", "MAE", "Mean absolute error over the horizon.", decimals=2, priority=8),
        Metric(
            "ssim",
            "SSIM",
            best=1.0,
            worst=-1.0,
            decimals=4,
            priority=6,
            meaning="Structural similarity of forecast and truth, mean over the frames of the horizon.",
        ),
        _relative("relative_l2", "rel. L2", "‖forecast − truth‖ / ‖truth‖ over the horizon, mean over samples.", priority=7),
    ]
    for priority, band in enumerate(reversed(BANDS), 3):
        meaning = f"The part of the MSE at {band} wavenumbers; the three parts sum to the MSE."
        found.insert(4, _error(f"mse_{band}", f"MSE {band}", meaning, priority=priority))
    found += [
        _error(f"mse_{place}", f"MSE {place}", f"MSE of the {place} frame of the horizon.", shown=False)
        for place in ("first", "last")
    ]
    if rollout:
        frames = "frames beyond the horizon, forecast from forecasts"
        found.append(_error("rollout_mse", "rollout MSE", f"MSE of the {rollout} {frames}.", priority=2))
        meaning = f"‖forecast − truth‖ / ‖truth‖ of the {rollout} {frames}."
        found.append(_relative("rollout_relative_l2", "rollout rel. L2", meaning, priority=1))
    return tuple(found)


def _error(
    name: str,
    label: str,
    meaning: str,
    *,
    decimals: int = 3,
    headline: bool = False,
    priority: int = 0,
    shown: bool = True,
) -> Metric:
    """An error in the units of the data, shown in thousandths."""
    return Metric(
        name,
        label,
        "10⁻³",
        scale=1000.0,
        higher_is_better=False,
        headline=headline,
        best=0.0,
        decimals=decimals,
        priority=priority,
        shown=shown,
        meaning=meaning,
    )


def _relative(name: str, label: str, meaning: str, priority: int) -> Metric:
    return Metric(
        name,
        label,
        "%",
        scale=100.0,
        higher_is_better=False,
        best=0.0,
        decimals=2,
        priority=priority,
        meaning=meaning,
    )
