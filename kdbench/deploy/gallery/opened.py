"""The test split of a record, shown: opened as its run saw it, or, without the weights of any run, read from its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Task
from kdbench.contracts.shown import Shown
from kdbench.contracts.values import Owned
from kdbench.deploy.data_of_record import data_of, folded
from kdbench.errors import KdbenchError, quoted
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.files import renumbered
from kdbench.records.record import Record
from kdbench.records.tasks import task_of
from kdbench.storage.cache import Cache

Units = Mapping[str, NDArray[np.int64]]


def opened(record: Record, plugins: Plugins, cache: Cache, device: str = "cpu") -> Shown:
    """The test split as the run of `record` saw it. Raises KdbenchError if it has changed since, or cannot be shown."""
    task = task_of(record.spec.task, plugins)
    with building_with(plugins):
        data = data_of(record, task, cache, device, _ignore)
    return _shown(task, data, record)


def read(record: Record, units: Units | None, plugins: Plugins) -> Shown:
    """The same without decoding the dataset: its indices are compared with the record's sizes and test units.

    Its pictures are then read from their files; models have no outputs on it.
    """
    task = task_of(record.spec.task, plugins)
    with building_with(plugins):
        source = folded(record, task, _source(record))
        shown = _shown(task, source, record)
        sizes, found = task.sizes(source), renumbered(task.units(source))
    if sizes != record.sizes:
        raise KdbenchError(f"{_changed(record)}: found a test split of {sizes}; expected {dict(record.sizes)}")
    if units is not None and any(name not in found or not np.array_equal(units[name], found[name]) for name in units):
        raise KdbenchError(f"{_changed(record)}: its test queries belong to other test units")
    return shown


def _source(record: Record) -> Any:
    try:
        return build_spec("dataset", record.spec.dataset)
    except KdbenchError:
        raise
    except Exception as error:  # any exception of the plugin
        raise KdbenchError(f"the dataset {record.spec.dataset.name} {quoted(error)}") from error


def _shown(task: Task, data: Owned, record: Record) -> Shown:
    shown = task.show(data)
    if shown is None:
        raise KdbenchError(f"the task {record.spec.task.use!r} has nothing to show of {record.spec.dataset.name!r}")
    return shown


def _changed(record: Record) -> str:
    return f"the dataset {record.spec.dataset.name!r} has changed since run {record.run_id}"


def _ignore(*_: object) -> None:
    """Ignores all events."""
