"""Results that records of several seeds or folds share: one training, entered more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.plugins.loading import Plugins
from kdbench.records.problem import Problem
from kdbench.records.record import Record
from kdbench.records.sources import RecordFile
from kdbench.records.stored import stored_arrays
from kdbench.records.tasks import task_of
from kdbench.records.verify.across_records import Pair

# Test queries that differ from their array's most common value; with fewer, such as in a test split that a student solves,
# two trainings may score the same by chance.
VARIED = 20


def copied(pairs: list[Pair], plugins: Plugins | None) -> Iterator[tuple[RecordFile, Problem]]:
    """Yields records with the trace or the arrays of an earlier record that was trained from another seed or fold.

    The first one is kept: which of them was trained cannot be told. References are not trained and have no seed; rows of one
    seed may be one training under several names (`kdbench.records.identical`).
    """
    trained = [(file, record) for file, record in pairs if record.status == "ok" and not record.spec.reference]
    found = dict(_shared(trained, lambda record: record.trace_sha256, "trace"))
    for place, problem in _shared(trained, lambda record: record.arrays_sha256, "arrays"):
        if place not in found and _telling(*trained[place], plugins):
            found[place] = problem
    yield from ((trained[place][0], problem) for place, problem in sorted(found.items()))


def _shared(pairs: list[Pair], sha256: Callable[[Record], str | None], what: str) -> Iterator[tuple[int, Problem]]:
    first: dict[str, Pair] = {}
    for place, (file, record) in enumerate(pairs):
        key = sha256(record)
        if key is None:
            continue
        known, other = first.setdefault(key, (file, record))
        if other.spec.training_seed != record.spec.training_seed:
            found = f"the {what} of seed {other.spec.which} in {known.where}"
            expected = "its own; `kdbench verify FILE --rerun ID`, for each file alone, shows which of them was trained"
            yield place, Problem(file.where, f"seed {record.spec.which} repeats another's {what}", found, expected)


def _telling(file: RecordFile, record: Record, plugins: Plugins | None) -> bool:
    """Whether two trainings cannot score the same by chance. Unreadable arrays have problems of their own."""
    try:
        arrays = stored_arrays(record, file, task_of(record.spec.task, plugins))
    except RecordError:
        return False
    return sum(_varied(values.reshape(len(values), -1)) for values in arrays.values()) >= VARIED


def _varied(values: NDArray[Any]) -> int:
    """The number of queries without the most common outcome; `values` [queries, any]."""
    if not values.size:
        return 0
    _, counts = np.unique(values, axis=0, return_counts=True)
    return len(values) - int(counts.max())
