"""The costs of a trial's student, measured as by `kdbench profile`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdbench.contracts import Task
from kdbench.deploy.profile.counts import count, part_flops
from kdbench.deploy.profile.inference import at_inference
from kdbench.deploy.profile.timing import part_latency
from kdbench.records.provenance import host
from kdbench.runs.context import RunContext
from kdbench.storage.locks import lock_file
from kdbench.suite.sweep import COSTS

LATENCY_SECONDS = 0.5  # for timing each part


def costs_of(student: Any, task: Task, data: Any, context: RunContext, names: Sequence[str]) -> dict[str, float]:
    """The costs `names` of a student, of `parameters`, `flops` and `latency`. Raises ValueError for another name.

    Latency is in milliseconds, for one sample on one thread: the sum of the medians of all parts. One process of this machine
    measures at a time, but others keep training: with more than one job it is noisy. `flops` is deterministic.
    """
    if unknown := set(names) - set(COSTS):
        raise ValueError(f"cost {min(unknown)!r}; expected one of {', '.join(COSTS)}")
    if not names:
        return {}
    inference = at_inference(student, task, task.samples(data), 1)
    found: dict[str, float] = {}
    if "parameters" in names:
        found["parameters"] = count(list(inference.module.parameters()))
    if "flops" in names:
        on_cpu = inference.to("cpu")
        found["flops"] = sum(part_flops(on_cpu, part) for part in on_cpu.parts)
    if "latency" in names:
        with lock_file(context.cache.root / f"profile-{host()['id']}.lock"):
            moved = inference.to(context.device)
            found["latency"] = sum(part_latency(moved, part, 1, 1, LATENCY_SECONDS).median_ms for part in moved.parts)
    return found
