"""A run on several devices of this machine, with one process per rank; rank 0 reports progress."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from kdbench.contracts import Progress
from kdbench.errors import KdbenchError, KdbenchWarning, counted
from kdbench.plugins.building import building_with
from kdbench.plugins.library_warnings import collected
from kdbench.plugins.loading import Plugins
from kdbench.records.examine_parts import check_same_code
from kdbench.records.parts import Part
from kdbench.records.record import Outcome
from kdbench.runs.context import RunContext
from kdbench.runs.execute import outcome_of
from kdbench.storage.cache import Cache
from kdbench.suite.spec import RunSpec
from kdbench.training.distributed import Rank
from kdbench.training.launch import Tell, launch


def outcome_of_ranks(spec: RunSpec, context: RunContext, devices: int) -> Outcome:
    """Executes a run on `devices` ranks and returns rank 0's outcome. Raises KdbenchError if there are fewer devices."""
    if context.device.startswith("cuda") and (context.device != "cuda" or torch.cuda.device_count() < devices):
        have = f"{counted(torch.cuda.device_count(), 'GPU')} and --device {context.device}"
        raise KdbenchError(f"train.devices is {devices}; found {have}, expected {devices} GPUs and --device cuda")
    if context.device == "mps":
        raise KdbenchError(f"train.devices is {devices}; expected 1 on mps, or --device cpu")

    def on_message(message: Progress | tuple[str, int, dict[str, float]] | KdbenchWarning) -> None:
        if isinstance(message, Progress):
            context.on_progress(message)
        elif isinstance(message, Warning):
            warnings.warn(message, stacklevel=2)
        else:
            context.on_epoch(*message)

    examined = dict(context._examined)  # as the record has them: what the run itself writes, such as a download, comes later
    settings = (context.plugins_elsewhere, context.cache, context.results, context.device, torch.get_num_threads(), examined)
    found: Outcome = launch(devices, _as_rank, (spec, *settings), on_message)
    return found


def _as_rank(
    rank: Rank,
    tell: Tell,
    spec: RunSpec,
    plugins: Callable[[], Plugins],
    cache: Cache,
    results: Path,
    device: str,
    threads: int,
    examined: dict[str, Part],
) -> Outcome:
    """A rank's part of a run, executed in its own process."""
    torch.set_num_threads(threads)
    listeners: dict[str, Any] = {}
    if rank.index == 0:

        def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            if issubclass(category, KdbenchWarning):
                tell(message if isinstance(message, Warning) else category(message))

        warnings.showwarning = show
        listeners = {"on_progress": tell, "on_epoch": lambda *epoch: tell(epoch)}
    context = RunContext(plugins(), cache, results, rank.device(device), _examined=examined, **listeners)
    check_same_code(spec, context.plugins, examined)
    with building_with(context.plugins), collected():
        return outcome_of(spec, context, rank)
