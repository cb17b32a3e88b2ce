"""The dataset of a record, opened as its run saw it."""

from __future__ import annotations

from kdbench.contracts import Task
from kdbench.contracts.task import Report
from kdbench.contracts.values import Owned
from kdbench.errors import KdbenchError
from kdbench.plugins.building import build_spec
from kdbench.records.record import Record
from kdbench.storage.cache import Cache


def data_of(record: Record, task: Task, cache: Cache, device: str, report: Report) -> Owned:
    """The opened dataset, of a run on a fold that fold. Raises KdbenchError if it has changed since the run."""
    dataset = record.spec.dataset
    data = task.open(build_spec("dataset", dataset), cache, device, report)
    if data.digest != record.dataset_digest:
        raise KdbenchError(
            f"run {record.run_id} was evaluated on a dataset with the digest {str(record.dataset_digest)[:12]}…, but "
            f"{dataset.name!r} has {data.digest[:12]}… now; expected the same test split"
        )
    return folded(record, task, data)


def folded(record: Record, task: Task, data: Owned) -> Owned:
    """The fold of a run, if it was evaluated on one, of its dataset, opened or not."""
    fold = record.spec.fold
    return task.folded(data, fold.index, fold.of) if fold else data
