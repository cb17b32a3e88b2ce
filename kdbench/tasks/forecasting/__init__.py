"""Forecasting of fields over time: forecasters, losses, errors and their spectra. Offered as a plugin; importing it does not
import torch."""

from typing import TYPE_CHECKING, Any

from kdbench.contracts import Offer, Task
from kdbench.contracts.hookspecs import hookimpl
from kdbench.tasks.forecasting.task import Forecasting

if TYPE_CHECKING:
    from kdbench.contracts import Taps

__all__ = ["Forecasting", "kdbench_taps", "kdbench_tasks"]


@hookimpl
def kdbench_taps(student: Any) -> "Taps | None":
    """The latent map of any forecaster, as `maps`."""
    module = getattr(student, "module", None)
    if not hasattr(module, "with_latent"):
        return None
    from kdbench.tasks.forecasting.latents import taps

    return taps(module)


@hookimpl
def kdbench_tasks() -> list[Offer[Task]]:
    return [
        Offer(
            "forecasting",
            Forecasting,
            "forecasts of fields over time, frames to frames",
            formula=(
                "MSE, MAE and SSIM are means over the frames, channels and points of the horizon, in the units of the data; "
                "relative L2 is ‖forecast − truth‖/‖truth‖ of a sample; the MSE of low, middle and high wavenumbers is that of "
                "the Fourier modes in a band, and the three sum to the MSE"
            ),
            source=(
                "relative L2: Li et al. 2021 (FNO, arXiv 2010.08895); bands: Takamoto et al. 2022 (PDEBench, arXiv "
                "2210.07182), there as root mean squares; SSIM: Wang et al. 2004"
            ),
            status="published",
            example={"bands": [0.25, 0.75]},
        )
    ]
