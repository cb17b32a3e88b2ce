"""Trains a recorded run again from its spec and compares the ranks, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from kdbench.storage.cache import Cache
from kdbench.errors import RecordError
from kdbench.suite.plan import RunSpec
from kdbench.plugins.loading import Plugins
from kdbench.records.sources import Item
from kdbench.records.verify.stored import read_ranks
from kdbench.tasks.retrieval.ranks import Ranks
from kdbench.records.record import DONE, Record, record_path
from kdbench.records.record import read_ranks as read_own_ranks
from kdbench.runs.execute import Bench, execute


@dataclass(frozen=True)
class Rerun:
    """What a run gave when it was trained again."""

    record: Record  # as recorded
    again: Record
    queries: int  # images and captions of the test split; 0 where a run diverged
    differing: int  # those whose rank is another
    differences: list[str]  # in device, threads, host or versions: with any, identical bits are not promised

    @property
    def same(self) -> bool:
        """Every rank is the same, or both diverged."""
        digests = self.record.dataset_digest, self.again.dataset_digest
        return self.record.status == self.again.status and digests[0] == digests[1] and not self.differing

    @property
    def rsum_gap(self) -> float:
        """RSUM of the run trained again less the recorded one, in points; 0 where one of them diverged."""
        if "rsum" not in self.record.metrics or "rsum" not in self.again.metrics:
            return 0.0
        return self.again.metrics["rsum"] - self.record.metrics["rsum"]

    def lines(self) -> list[str]:
        """What a person is told."""
        found = [f"{self.record.run_id} ({self.record.label}): {'same' if self.same else 'different'}"]
        if self.record.status != self.again.status:
            found.append(
                f"  recorded as {self.record.status}, now {self.again.status}: {self.again.reason or 'no reason given'}"
            )
        elif self.record.dataset_digest != self.again.dataset_digest:
            found.append(f"  the dataset has digest {self.again.dataset_digest}, expected {self.record.dataset_digest}")
        if self.differing:
            share = f"{self.differing} of {self.queries} queries ({self.differing / self.queries:.2%})"
            found.append(f"  {share} have another rank; RSUM {self.rsum_gap:+.2f}")
        found += [f"  {difference}" for difference in self.differences]
        if self.differences:
            found.append("  identical ranks are promised only where device, threads, host and versions agree")
        return found


class _OwnScratch(Cache):
    """Shares what is made once for all; a checkpoint of the run itself, finished or not, is neither used nor removed."""

    def __init__(self, root: Path, scratch: Path) -> None:
        super().__init__(root)
        self._scratch = scratch

    def scratch(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def rerun(item: Item, record: Record, plugins: Plugins, cache: Path, device: str = "cpu") -> Rerun:
    """Trains the run of `record`, a file that `examined` found good, with as many threads as it had.

    Datasets and teachers are taken from the cache where it has them. Nothing is written but there and to a temporary
    folder. `device` as torch names it. Raises RecordError where the run cannot be done here.
    """
    if record.status not in DONE:
        raise RecordError(f"{item.where}: {record.status}: {record.reason}; there is nothing to compare with")
    spec = RunSpec(**record.spec)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, record.threads))  # sums are taken in another order by more threads
    try:
        with TemporaryDirectory() as folder:
            results = Path(folder) / "results"
            again = execute(spec, Bench(plugins, _OwnScratch(cache, Path(folder)), results, device))
            if again.status not in DONE:
                raise RecordError(f"{item.where}: cannot be run here: {again.status}: {again.reason}")
            ranks = read_own_ranks(record_path(results, spec.suite, spec.run_id)) if again.ranks_sha256 else None
    finally:
        torch.set_num_threads(threads)
    recorded = read_ranks(record, item) if record.ranks_sha256 else None
    return Rerun(record, again, *_compared(recorded, ranks), differences=_differences(record, again))


def _compared(recorded: Ranks | None, ranks: Ranks | None) -> tuple[int, int]:
    """Queries, and how many of them differ; all do where one side has others."""
    if recorded is None or ranks is None:
        return 0, 0
    queries = len(recorded.text) + len(recorded.image)
    if (len(ranks.text), len(ranks.image)) != (len(recorded.text), len(recorded.image)):
        return queries, queries
    return queries, int(np.sum(ranks.text != recorded.text) + np.sum(ranks.image != recorded.image))


def _differences(record: Record, again: Record) -> list[str]:
    pairs = {
        "device": (record.device, again.device),
        "threads": (record.threads, again.threads),
        "host": (record.host.get("id"), again.host.get("id")),
        "cpu": (record.host.get("cpu"), again.host.get("cpu")),
        **{name: (record.versions.get(name), again.versions.get(name)) for name in {**record.versions, **again.versions}},
    }
    return [f"{name}: recorded with {old}, now {new}" for name, (old, new) in pairs.items() if old != new]
