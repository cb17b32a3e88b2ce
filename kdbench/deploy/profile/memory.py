"""Peak memory of a student at inference and of a run."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kdbench.deploy.profile.inference import Inference, run_once
from kdbench.deploy.profile.process_memory import forget_peak, peak, resident, tidy
from kdbench.records.profile import MEGABYTE, Memory


def peak_memory(inference: Inference, device: str, baseline: float | None) -> Memory | None:
    """Measures memory while every part reads one input. Only valid in a process that has done nothing else before.

    `baseline` is the result of `resident()` with only Python and torch loaded. Returns None if the system does not report
    memory. Moves the module to the device.
    """
    single = inference.first(1).to(device)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device) / MEGABYTE
        run_once(single)
        most = torch.cuda.max_memory_allocated(device) / MEGABYTE
        return Memory(kind="cuda", peak_mb=most, before_mb=before, baseline_mb=0.0)
    forgotten, held = forget_peak(), resident()
    run_once(single)
    found = peak()
    if found is None or held is None or baseline is None:
        return None
    return Memory(kind="resident", peak_mb=found, before_mb=held, baseline_mb=baseline, from_start=not forgotten)


@dataclass(frozen=True)
class Watch:
    """Measures the peak memory of the device since `begin`; on a CPU, that of this process.

    A worker executes several runs one after another, so `begin` first frees the memory of the last one.
    """

    device: str
    sure: bool

    @classmethod
    def begin(cls, device: str) -> Watch:
        """Starts the measurement."""
        tidy()
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(device)
            return cls(device, sure=True)
        return cls(device, forget_peak())

    def peak_mb(self) -> float | None:
        """The peak in MB; None if the system does not report it, or only for the whole process."""
        if self.device.startswith("cuda"):
            return torch.cuda.max_memory_allocated(self.device) / MEGABYTE
        return peak() if self.sure else None
