"""The forecasts of a model on the test split, to be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdbench.data.on_device import on_device
from kdbench.tasks.forecasting.evaluation import rolled_out
from kdbench.tasks.forecasting.opened import OpenedFields, encoded
from kdbench.tasks.forecasting.teacher_data import prepared


@torch.no_grad()
def forecasts_of(data: OpenedFields, model: Any, batch_size: int, device: str) -> NDArray[np.float16]:
    """float16 [n, horizon, C, H, W], in the units of the data, of a forecaster or of a teacher's."""
    from kdbench.tasks.forecasting.task import Forecasting

    forecaster = model if hasattr(model, "module") else prepared(Forecasting(), data, model)
    split, found = encoded(data, "test"), []
    for start in range(0, len(split.frames), batch_size):
        observed = split.scale.normalised(on_device(split.frames[start : start + batch_size, : split.history], device))
        found.append(split.scale.restored(rolled_out(forecaster, observed, split.horizon)).half().cpu().numpy())
    return np.concatenate(found)
