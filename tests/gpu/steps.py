"""Milliseconds and memory of a training step: teachers, precision, torch.compile, numbers read at every step or seldom."""

from __future__ import annotations

from typing import Any

import torch

from kdbench.training.readings import Readings
from kdbench_plugins.strategies.ammkd import Ammkd
from kdbench_plugins.strategies.equal import Equal
from tests.gpu.learners import learner
from tests.gpu.timing import milliseconds
from tests.gpu.watch import Watch

KINDS: dict[str, dict[str, Any]] = {
    "eager fp32": {},
    "eager bf16": {"precision": "bf16", "channels_last": True},
    "compiled bf16": {"precision": "bf16", "channels_last": True, "compile": True},
}


def measure(device: str, small: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, settings in KINDS.items():
        if small and kind.startswith("compiled"):
            continue  # on a CPU it takes a compiler and a minute
        for team, teachers, strategy in (("none", 0, None), ("equal", 4, Equal()), ("ammkd", 4, Ammkd())):
            if kind != "eager bf16" and team == "equal":
                continue
            try:
                found[f"{kind}, {team}"] = of_step(teachers, strategy, device, small, settings)
            except Exception as error:  # such as of a compiler that is missing
                found[f"{kind}, {team}"] = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
    return found


def of_step(teachers: int, strategy: Any, device: str, small: bool, settings: dict[str, Any]) -> dict[str, Any]:
    one = learner(teachers, strategy, device, small, **settings)
    count = 1 if small else 20
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    one.readings = Readings()
    read = milliseconds(lambda step: float(one.step(step).loss), device, count, small)
    one.readings = Readings.of(device)
    with Watch() as watch:
        later = milliseconds(lambda step: one.step(step), device, count, small)
    found: dict[str, Any] = {"ms": later, "ms_read_every_step": read, **watch.found}
    if device.startswith("cuda"):
        found["peak_mib"] = round(torch.cuda.max_memory_reserved(device) / 2**20)
    return found
