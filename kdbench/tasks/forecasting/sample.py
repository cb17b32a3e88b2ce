"""A few samples with made-up fields and teachers, to try a run's plugins before its data and teachers are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from kdbench.tasks.forecasting.borders import check_fit, checked_both
from kdbench.tasks.forecasting.fields import FieldDataset
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench.tasks.forecasting.opened import EncodedFields
from kdbench.tasks.forecasting.scale import Scale
from kdbench.tasks.forecasting.teach import StoredForecasts

COUNT = 8


def sample(
    dataset: FieldDataset, student: Forecaster, teachers: Sequence[Any], rollout: int
) -> tuple[EncodedFields, Sequence[StoredForecasts]]:
    """Random fields of the dataset's form: reading true ones may compute them all.

    Teachers' forecasts are random; their latent maps are of the student's width and wider, on its grid. Raises PluginError if
    the student is of another form than the dataset.
    """
    frame = dataset.split("train").frames.shape[2:]
    check_fit(student, dataset, frame, "the student")
    rng = np.random.default_rng(0)
    fields = rng.normal(size=(COUNT, dataset.history + dataset.horizon + rollout, *frame)).astype(np.float32)
    unit, zero = [1.0] * frame[0], [0.0] * frame[0]
    ids = [str(place) for place in range(COUNT)]
    encoded = EncodedFields(fields, ids, dataset.history, dataset.horizon, Scale(zero, unit, zero, unit))
    grid = _latent_grid(student, fields[:2, : dataset.history])
    made = []
    for place in range(len(teachers)):
        forecasts = rng.normal(size=(COUNT, dataset.horizon, *frame)).astype(np.float16)
        latents = rng.normal(size=(COUNT, student.width + 4 * (place % 2), *grid)).astype(np.float16)
        made.append(StoredForecasts(forecasts, latents))
    return encoded, made


@torch.no_grad()
def _latent_grid(student: Forecaster, history: Any) -> tuple[int, ...]:
    module = cast(nn.Module, student.module)
    training = module.training
    module.eval()
    observed = torch.from_numpy(history)
    _, latent = checked_both(student, student.module.with_latent(observed), observed)
    module.train(training)
    return tuple(latent.shape[2:])
