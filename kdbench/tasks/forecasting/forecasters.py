"""Forecasters: what students and teachers of forecasting are.

Shapes: B samples, `history` frames that are read and `horizon` frames that are forecast, C channels, a grid of H × W points; a
latent map has c channels on h × w points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from kdbench.contracts import Distillation
    from kdbench.tasks.forecasting.fields import FieldSplit


class Forecaster(Protocol):
    """A student of forecasting, and the model of a teacher: any of them can be either.

    Its initial weights are drawn from torch's global generator, which the core seeds. Fields come normalised by mean and
    standard deviation of the train split, and forecasts are of the same scale.

    The optional attribute `grid` is the (H, W) that it works on; a forecaster without it works on any. The optional methods
    `finalize()` and `ready()` are those of other students (`kdbench.Student`).
    """

    width: int  # c, the channels of its latent map
    history: int  # frames that it reads
    horizon: int  # frames that it forecasts
    channels: int  # C
    module: ForecastModule


class ForecastModule(Protocol):
    """The trainable part: a torch Module. `forward` is what is profiled and exported."""

    def __call__(self, frames: Tensor) -> Tensor:
        """The forecast [B, horizon, C, H, W] of `frames` [B, history, C, H, W]."""
        ...

    def with_latent(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The same forecast and, of the same forward pass, the latent map [B, c, h, w], such as what a decoder reads.

        Both with their graph. A model with latents of several frames stacks them along the channels. Objectives read the map as
        the internal `maps` (`kdbench.contracts.internals`).
        """
        ...


class ForecastingData(Protocol):
    """The training data of a teacher: train and validation splits. The test split cannot be reached."""

    device: str

    def split(self, name: Literal["train", "validation"]) -> FieldSplit:
        """The frames of a split, in the units of the data."""
        ...

    def fit(
        self,
        key: str,
        build: Callable[[], Forecaster],
        recipe: dict[str, Any],
        distillation: Distillation | None = None,
    ) -> Forecaster:
        """Trains the forecaster that `build` returns, by default without distillation, and caches its weights.

        `recipe` holds settings of a suite's `train:` block, a `seed` and `every`, as for teachers of other tasks
        (`kdbench.TeacherData.fit`). Returns the forecaster of the best validation epoch, in eval mode, frozen.
        """
        ...


class ForecastTeacher(Protocol):
    """A teacher of forecasting. The constructor is cheap; `forecaster` may train on the data.

    The optional attributes `history`, `horizon`, `channels` and `grid`, as of a `Forecaster`, let a suite be refused before
    anything is trained. What a parameter marked `Uses("student")` holds need not be stated again.
    """

    def forecaster(self, data: ForecastingData) -> Forecaster:
        """The teacher's model, on `data.device`, in eval mode.

        Its forecasts and latent maps on the train split are computed once and cached by a digest of its module.
        """
        ...
