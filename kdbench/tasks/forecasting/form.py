"""The form of fields: frames, channels and grid. Students and teachers must be of the form of their dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

import torch
from torch import nn

from kdbench.tasks.forecasting.borders import checked_both, checked_forecaster
from kdbench.tasks.forecasting.fields import FieldDataset


def misfits(
    dataset: FieldDataset, kind: Literal["teacher", "student"], build: Callable[[], Any]
) -> Iterator[tuple[str, object, str]]:
    """Yields what of a forecaster, or of a teacher that states its form, is not as in the dataset: (name, found, expected).

    Raises PluginError if a student breaks its contract, or cannot forecast from fields of zeros of that form, as on a grid that
    its layers cannot halve.
    """
    channels, *grid = dataset.split("train").frames.shape[2:]
    form = {"history": dataset.history, "horizon": dataset.horizon, "channels": channels, "grid": grid}
    with torch.random.fork_rng(devices=[]):
        plugin = build()
    if kind == "student":
        checked_forecaster(plugin)
    others = {name: getattr(plugin, name, None) or expected for name, expected in form.items()}
    others["grid"] = list(others["grid"])
    wrong = [name for name, expected in form.items() if others[name] != expected]
    for name in wrong:
        yield name, others[name], f"{form[name]}, as {{dataset}} has"
    if kind == "student" and not wrong:
        _try(plugin, torch.zeros(1, dataset.history, channels, *grid))


@torch.no_grad()
def _try(student: Any, frames: torch.Tensor) -> None:
    cast(nn.Module, student.module).eval()
    checked_both(student, student.module.with_latent(frames), frames)
