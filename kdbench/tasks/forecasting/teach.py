"""A teacher's forecasts and latent maps of the train split: computed once, stored in float16, read by rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench.contracts import Task
from kdbench.contracts.border import refused
from kdbench.data.on_device import on_device
from kdbench.errors import PluginError
from kdbench.storage.maker import code_behind
from kdbench.storage.memory_map import let_go, take
from kdbench.storage.module_digest import module_digest
from kdbench.storage.room import allocate
from kdbench.tasks.forecasting.borders import checked_both
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench.tasks.forecasting.latents import MAPS
from kdbench.tasks.forecasting.opened import OpenedFields, encoded
from kdbench.tasks.forecasting.outputs import FieldBatch, Forecast
from kdbench.tasks.forecasting.teacher_data import prepared

FORMAT = 1
FRAMES, LATENTS = "frames.npy", "latents.npy"
SAMPLES = 32  # forecast at a time


@dataclass(frozen=True)
class StoredForecasts:
    """Implements `TeacherOutputs` over what is stored of N samples."""

    frames: NDArray[Any]  # float16 [N, horizon, C, H, W], normalised
    latents: NDArray[Any]  # float16 [N, c, h, w]
    key: str = ""
    exposed: bool = False  # whether its outputs hold latent maps

    @property
    def width(self) -> int:
        return int(self.latents.shape[1])

    def outputs(self, batch: FieldBatch, device: str) -> Forecast:
        rows = batch.rows.cpu().numpy() if batch.host is None else batch.host
        maps = {MAPS: (on_device(take(self.latents, rows), device),)} if self.exposed else {}
        return Forecast(on_device(take(self.frames, rows), device), maps)

    def exposing(self, names: Sequence[str]) -> StoredForecasts:
        """The same with latent maps. Raises PluginError for internals that are not stored."""
        if other := sorted(set(names) - {MAPS}):
            raise PluginError(
                f"a teacher's forecasts: found the internal {MAPS}; expected {', '.join(other)}, which the objective reads"
            )
        return replace(self, exposed=True)


def teach(task: Task, data: OpenedFields, teacher: Any) -> StoredForecasts:
    """What a teacher forecasts of the train split, computed or loaded from the cache."""
    forecaster = prepared(task, data, teacher)
    module = cast(nn.Module, forecaster.module)
    identity = {
        "format": FORMAT,
        "dataset": data.digest,
        "split": "train",
        "module": module_digest(module),
        **code_behind(teacher, module),
    }
    entry = data.cache.entry("forecasts", identity, lambda folder: _write(folder, data, forecaster))
    data.seconds[entry.folder] = entry.seconds
    frames, latents = (np.load(entry.folder / name, mmap_mode="r") for name in (FRAMES, LATENTS))
    return StoredForecasts(frames, latents, entry.folder.name)


def _write(folder: Path, data: OpenedFields, forecaster: Forecaster) -> None:
    total = len(data.split("train").frames)
    with (folder / FRAMES).open("wb") as frames, (folder / LATENTS).open("wb") as latents:
        for start, made in _forecasts(data, forecaster):
            for stream, values in zip((frames, latents), made, strict=True):
                stored = values.half().cpu().numpy()
                wrong = ~np.isfinite(stored).reshape(len(stored), -1).all(axis=1)
                if wrong.any():
                    first = f"the first of them sample {start + int(wrong.argmax())}"
                    found = f"values of {float(values.abs().max()):.3g} in {wrong.sum()} of {len(stored)} samples, {first}"
                    raise refused(forecaster.module, "with_latent", found, "finite numbers that float16 can hold")
                if start == 0:
                    header = {"descr": "<f2", "fortran_order": False, "shape": (total, *stored.shape[1:])}
                    np.lib.format.write_array_header_1_0(stream, header)
                    allocate(Path(stream.name), stream.tell() + total * stored[0].nbytes)
                stream.write(np.ascontiguousarray(stored, "<f2").tobytes())
            data.report("forecast train fields", min(start + SAMPLES, total), total)


@torch.no_grad()
def _forecasts(data: OpenedFields, forecaster: Forecaster) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
    """Normalised forecasts and latent maps of a few samples at a time, with the position of the first."""
    split = encoded(data, "train")
    for start in range(0, len(split.frames), SAMPLES):
        read = on_device(split.frames[start : start + SAMPLES, : split.history], data.device)
        let_go(split.frames)
        observed = split.scale.normalised(read)
        yield start, checked_both(forecaster, forecaster.module.with_latent(observed), observed)
