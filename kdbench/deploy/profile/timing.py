"""Latencies of a student, measured with torch.utils.benchmark."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch.nn.functional import normalize
from torch.utils.benchmark import Measurement, Timer

from kdbench.deploy.profile.inference import Inference, in_eval_mode
from kdbench.errors import counted
from kdbench.records.profile import Timing

TOP = 10
FEWEST = 10  # blocks; quartiles of fewer are not reliable
SPREAD = 0.1  # IQR over median; beyond it a timing is unstable


def clock(call: Callable[[], object], threads: int, seconds: float) -> Timing:
    """Times `call` in blocks for at least `seconds`, or until there are ten blocks. Waits for a GPU to finish."""
    timer = Timer("call()", globals={"call": call}, num_threads=threads)
    runs = [timer.blocked_autorange(min_run_time=seconds)]
    while sum(len(run.times) for run in runs) < FEWEST:
        runs.append(timer.timeit(runs[0].number_per_run))
    (found,) = Measurement.merge(runs)
    return Timing(median_ms=1e3 * found.median, iqr_ms=1e3 * found.iqr, blocks=len(found.times))


def part_latency(inference: Inference, part: str, batch_size: int, threads: int, seconds: float) -> Timing:
    """Latency of a part for a batch that is already on the device."""
    inputs = inference.inputs(part, batch_size)
    with in_eval_mode(inference.module), torch.inference_mode():
        return clock(lambda: inference.run(part, inputs), threads, seconds)


def search_latency(gallery: int, width: int, device: str, threads: int, seconds: float) -> Timing:
    """Latency of finding the ten best of [gallery, width] unit vectors for one query [width] in float32."""
    generator = torch.Generator().manual_seed(0)
    vectors = normalize(torch.randn(gallery + 1, width, generator=generator), dim=1).to(device)
    query, stored = vectors[0], vectors[1:]
    with torch.inference_mode():
        return clock(lambda: (stored @ query).topk(min(TOP, gallery)), threads, seconds)


def load() -> float | None:
    """The system's load average over the last minute; None if the system does not report it."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def doubts(timings: dict[str, Timing], before: float | None, threads: int) -> list[str]:
    """Reasons why timings may be unreliable: they vary, or other processes compute. `before` is the load before the first."""
    found = [
        f"{name}: IQR {timing.iqr_ms / timing.median_ms:.0%} of the median"
        for name, timing in timings.items()
        if timing.iqr_ms > SPREAD * timing.median_ms
    ]
    cores = os.cpu_count() or 1
    if before is not None and before > max(cores - threads, 0.5):
        found.append(f"load {before:.1f} on {counted(cores, 'core')} before the measurement")
    return found
