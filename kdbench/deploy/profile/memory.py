"""The memory a student needs at inference. Means something only in a process that has done nothing else before."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kdbench.deploy.profile.resident import forget_peak, peak, resident, tidy
from kdbench.deploy.profile.subject import TOWERS, Subject, at_inference
from kdbench.records.profile import MEGABYTE, Memory


def peak_memory(subject: Subject, device: str, baseline: float | None) -> Memory | None:
    """Runs both towers on one item. `baseline` is what `resident()` said when Python and torch alone were loaded.

    None where the system does not tell. The subject's module is moved to the device.
    """
    single = {tower: subject.batch(tower, 1) for tower in TOWERS}
    subject = Subject(subject.module, single, subject.width).to(device)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device) / MEGABYTE
        _run(subject)
        most = torch.cuda.max_memory_allocated(device) / MEGABYTE
        return Memory(kind="cuda", peak_mb=most, before_mb=before, baseline_mb=0.0)
    forgotten, held = forget_peak(), resident()
    _run(subject)
    found = peak()
    if found is None or held is None or baseline is None:
        return None
    return Memory(kind="resident", peak_mb=found, before_mb=held, baseline_mb=baseline, from_start=not forgotten)


@dataclass(frozen=True)
class Watch:
    """Begins with it, and later says the most MB that the device, or without one this process, has held since.

    A worker carries out one run after the other: what the last one left is given back first.
    """

    device: str
    sure: bool

    @classmethod
    def begin(cls, device: str) -> Watch:
        tidy()
        if device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(device)
            return cls(device, sure=True)
        return cls(device, forget_peak())

    def peak_mb(self) -> float | None:
        """None where the system does not tell, or tells of what was before."""
        if self.device.startswith("cuda"):
            return torch.cuda.max_memory_allocated(self.device) / MEGABYTE
        return peak() if self.sure else None


def _run(subject: Subject) -> None:
    with at_inference(subject.module), torch.no_grad():
        for tower in TOWERS:
            subject.encode(tower, subject.batch(tower, 1))
