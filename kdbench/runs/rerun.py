"""Trains a recorded run again from its spec and compares what it stored: test arrays, trace, weights, validation figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kdbench.contracts import Metric
from kdbench.errors import RecordError
from kdbench.plugins.loading import Plugins
from kdbench.records.files import read_arrays, read_trace, record_path
from kdbench.records.parts import differences, packages
from kdbench.records.record import DONE, Record
from kdbench.records.sources import RecordFile
from kdbench.records.stored import stored_arrays, stored_trace
from kdbench.records.tasks import task_of
from kdbench.records.trace import Trace
from kdbench.runs.context import RunContext
from kdbench.runs.elsewhere import judged
from kdbench.runs.execute import execute
from kdbench.runs.figures import other_figures, other_trace
from kdbench.storage.cache import Cache
from kdbench.storage.installed_version import installed_version

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Rerun:
    """A recorded run and the same run trained again."""

    record: Record  # as recorded
    again: Record
    headline: Metric
    queries: int  # test queries over all stored arrays; 0 if a run diverged
    differing: int  # queries with another value
    differences: list[str]  # differences in device, threads, host or versions; with any, bit-identical results are not promised
    figures: list[str] = field(default_factory=list)  # what differs of its training: validation, weights, trace

    @property
    def same(self) -> bool:
        """Whether every query and every figure of the training has the same value, or both runs diverged."""
        return self._comparable and not self.differing and not self.figures

    @property
    def _comparable(self) -> bool:
        one, other = self.record, self.again
        return one.status == other.status and one.dataset_digest == other.dataset_digest

    @property
    def gap(self) -> float:
        """The headline metric of the new run minus the recorded one, in shown units; 0 if one of them diverged."""
        name, runs = self.headline.name, (self.record, self.again)
        if any(name not in run.metrics for run in runs):
            return 0.0
        return self.headline.scale * (self.again.metrics[name] - self.record.metrics[name])

    def lines(self) -> list[str]:
        """Readable lines: the outcome, then the differences."""
        found = [f"{self.record.run_id} ({self.record.label}): {'same' if self.same else 'different'}"]
        if self.record.status != self.again.status:
            found.append(
                f"  recorded as {self.record.status}, now {self.again.status}: {self.again.reason or 'no reason given'}"
            )
        elif self.record.dataset_digest != self.again.dataset_digest:
            found.append(f"  the dataset has digest {self.again.dataset_digest}, expected {self.record.dataset_digest}")
        if self.differing:
            share = f"{self.differing} of {self.queries} queries ({self.differing / self.queries:.2%})"
            gap = f"{self.gap:+.{self.headline.decimals + 1}f}"
            found.append(f"  {share} score differently; {self.headline.label} {gap}")
        found += [f"  {figure}" for figure in self.figures]
        if not self.same and self._comparable:
            part = self.differing / self.queries if self.queries else 0.0
            found.append(f"  {judged(self.headline, part, self.gap, bool(self.differences))}")
            if self.differing and not self.figures and self.record.trace_sha256:
                found.append("  its validation, weights and trace are those of this training, its test arrays are not")
        if self.record.trace_sha256 is None and self.again.trace_sha256:
            found.append("  no trace was recorded, so none was compared")
        found += [f"  {difference}" for difference in self.differences]
        if self.differences:
            found.append("  identical results are promised only where device, threads, host and versions agree")
        return found


def rerun(file: RecordFile, record: Record, plugins: Plugins, cache: Path, device: str = "cpu") -> Rerun:
    """Trains the run of `record` again with the same number of threads; `file` must have passed `examined`.

    Uses datasets and teachers in the cache, and writes only to the cache and a temporary folder. `device` is a torch device.
    Raises RecordError if the run cannot be executed here.
    """
    if record.status not in DONE:
        raise RecordError(f"{file.where}: {record.status}: {record.reason}; there is nothing to compare with")
    spec = record.spec
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, record.threads))  # another number of threads sums in another order
    try:
        with TemporaryDirectory() as folder:
            results = Path(folder) / "results"
            context = RunContext(plugins, Cache(cache, scratch=Path(folder) / "scratch"), results, device)
            if spec.transfer:
                execute(spec.training, context)
            again = execute(spec, context)
            if again.status not in DONE:
                raise RecordError(f"{file.where}: cannot be run here: {again.status}: {again.reason}{_missing(record)}")
            path = record_path(results, spec.suite, spec.run_id)
            arrays = read_arrays(path, plugins) if again.arrays_sha256 else {}
            trace = read_trace(path) if again.trace_sha256 else Trace()
    finally:
        torch.set_num_threads(threads)
    task = task_of(spec.task, plugins)
    recorded = stored_arrays(record, file, task) if record.arrays_sha256 else {}
    queries, differing = compared(recorded, arrays)
    told = stored_trace(record, file) if record.trace_sha256 else Trace()
    figures = [*other_figures(record, again), *other_trace(told, trace)] if record.status == again.status else []
    return Rerun(record, again, task.headline, queries, differing, _differences(record, again), figures)


def compared(recorded: Arrays, arrays: Arrays) -> tuple[int, int]:
    """The number of queries, and of those that differ; all of them if the arrays have different names or shapes."""
    if not recorded or not arrays:
        return 0, 0
    queries = sum(len(values) for values in recorded.values())
    if {name: values.shape for name, values in recorded.items()} != {name: values.shape for name, values in arrays.items()}:
        return queries, queries
    return queries, sum(_changed(values, arrays[name]) for name, values in recorded.items())


def _changed(one: NDArray[Any], other: NDArray[Any]) -> int:
    """The number of queries (first axis) with another value."""
    return int(np.count_nonzero((one != other).reshape(len(one), -1).any(axis=1)))


def _differences(record: Record, again: Record) -> list[str]:
    pairs = {
        "device": (record.device, again.device),
        "threads": (record.threads, again.threads),
        "host": (record.host.get("id"), again.host.get("id")),
        "cpu": (record.host.get("cpu"), again.host.get("cpu")),
        **{name: (record.versions.get(name), again.versions.get(name)) for name in {**record.versions, **again.versions}},
    }
    found = [f"{name}: recorded with {old}, now {new}" for name, (old, new) in pairs.items() if old != new]
    return [*found, *differences(record.parts, again.parts)]


def _missing(record: Record) -> str:
    """A clause with the packages of its plugins that are not installed."""
    absent = [f"{name}=={known}" for name, known in packages(record.parts.values()).items() if not installed_version(name)]
    return f"; it was run with {', '.join(absent)}, not installed here" if absent else ""
