"""Measures a student: parameters, FLOPs and latency of its parts on one device."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from kdbench.contracts import Task
from kdbench.deploy.profile.counts import count, exported_bytes, nonzero, part_flops, part_parameters
from kdbench.deploy.profile.inference import Inference, at_inference
from kdbench.deploy.profile.timing import doubts, load, part_latency, search_latency
from kdbench.records.profile import Memory, PartProfile, Profile, Timing
from kdbench.records.provenance import device_name, host, source, versions

BATCH_SIZES = (1, 32)
SECONDS = 1.0
DENSE = 0.99  # share of non-zero parameters: a few are zero in any student, such as biases of units that never learn
MILLION = 10**6


def measure(
    student: Any,
    task: Task,
    device: str,
    *,
    gallery: int | None = None,
    samples: Mapping[str, Any] | None = None,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    threads: int = 1,
    seconds: float = SECONDS,
) -> Profile:
    """The profile of a student of a task on a device, without its memory, which only a separate process can measure.

    `gallery` is the number of embeddings that a query is compared with, `samples` the result of `Task.samples` for a dataset,
    `seconds` the minimum time for each timing. Calls the student's `finalize`. Modes, device, gradients and `requires_grad` of
    the module are unchanged afterwards.
    """
    inference = at_inference(student, task, samples or {}, max(1, *batch_sizes))
    return profile_of(inference, gallery, device, batch_sizes=batch_sizes, threads=threads, seconds=seconds)


def profile_of(
    inference: Inference,
    gallery: int | None,
    device: str,
    *,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    threads: int = 1,
    seconds: float = SECONDS,
    memory: Memory | None = None,
    trained: bool = False,
) -> Profile:
    """The same for a finalized student; `memory` if it has been measured.

    Of one with `trained` weights, `extra` holds the non-zero parameters in millions if it is sparse.
    """
    before = load()
    home = str(next((parameter.device for parameter in inference.module.parameters()), "cpu"))
    # First: tensors that a module caches in inference mode, such as a mask, would block the gradients that counting needs.
    found = {part: part_parameters(inference, part) for part in inference.parts}
    counts = {part: {"parameters": count(found[part]), "flops": part_flops(inference, part)} for part in inference.parts}
    try:
        moved = inference.to(device)
        latency = {
            part: {size: part_latency(moved, part, size, threads, seconds) for size in sorted(set(batch_sizes))}
            for part in inference.parts
        }
        search = None
        if gallery is not None and inference.width is not None:
            search = search_latency(gallery, inference.width, device, threads, seconds)
    finally:
        inference.module.to(home)
    everything = list(inference.module.parameters())
    reasons = doubts(_named(latency, search), before, threads)
    return Profile(
        parts={part: PartProfile(**counts[part], latency=latency[part]) for part in inference.parts},
        parameters=count(everything),
        size_bytes=exported_bytes(inference.module),
        extra=_nonzero({**found, "total": everything}) if trained else {},
        memory=memory,
        gallery=gallery,
        search=search,
        unstable=bool(reasons),
        reasons=reasons,
        load=[value for value in (before, load()) if value is not None],
        device=device_name(device),
        threads=threads,
        host=host(),
        versions=versions(),
        measured=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **source(),
    )


def _nonzero(parameters: dict[str, list[nn.Parameter]]) -> dict[str, float]:
    """Non-zero parameters in millions, of the parts of a sparse student and in total, by the names of columns."""
    if nonzero(parameters["total"]) > DENSE * count(parameters["total"]):
        return {}
    return {f"non-zero {part} (M)": nonzero(found) / MILLION for part, found in parameters.items()}


def _named(latency: dict[str, dict[int, Timing]], search: Timing | None) -> dict[str, Timing]:
    """The timings by their column names."""
    parts = {f"{part} ms @{size}": timing for part, found in latency.items() for size, timing in found.items()}
    return parts | ({"search ms": search} if search else {})
