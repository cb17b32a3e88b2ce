"""Checks the fields of a dataset: reads every sample once and stores none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import SplitName
from kdbench.contracts.task import Report
from kdbench.data.encoding import CHUNK, Compute, rows_header
from kdbench.data.prepare import DataReport, Problem
from kdbench.errors import KdbenchError
from kdbench.storage.digest import digest_of
from kdbench.tasks.forecasting.fields import FieldDataset, FieldSplit
from kdbench.tasks.forecasting.opened import SPLITS, checked_frames


@dataclass(frozen=True)
class Counts:
    """The size of a split."""

    trajectories: int
    samples: int
    frames: int
    channels: int
    height: int
    width: int


def check(dataset: FieldDataset, report: Report) -> DataReport:
    """Reads every sample; continues after those that cannot be read or hold values that are not finite."""
    counts: dict[SplitName, Counts] = {}
    problems: list[Problem] = []
    files: dict[str, str] = {}
    notes: list[str] = list(getattr(dataset, "notes", ()))
    seen: dict[bytes, tuple[SplitName, str]] = {}
    for name in SPLITS:
        split = dataset.split(name)
        counts[name] = Counts(len(set(split.ids)), *split.frames.shape)
        whole = hashlib.sha256()
        for start, found in _read(dataset, name, split, report):
            if isinstance(found, str):
                problems.append(Problem(name, start, "", f"{name} sample {start}, {split.ids[start]}: {found}"))
                continue
            if start == 0:
                whole.update(rows_header(found, len(split.frames)))
            whole.update(np.ascontiguousarray(found).data)
            for place, sample in enumerate(found, start):
                key = hashlib.blake2b(np.ascontiguousarray(sample).data, digest_size=16).digest()
                other, id_ = seen.setdefault(key, (name, split.ids[place]))
                if other != name:
                    notes.append(f"{name} {split.ids[place]} has the same fields as {other} {id_}: the test is not of new data")
        files[f"{name}.frames.npy"] = whole.hexdigest()
        files[f"{name}.ids.json"] = hashlib.sha256(json.dumps(list(split.ids)).encode()).hexdigest()
    return DataReport(counts, problems, None if problems else digest_of(files), notes=notes)


def _read(
    dataset: FieldDataset, name: SplitName, split: FieldSplit, report: Report
) -> Iterator[tuple[int, NDArray[Any] | str]]:
    """Blocks of samples in order, with the number of the first; of a block with an error, each sample or its error."""
    compute, total = checked_frames(dataset, name, split), len(split.frames)
    block: int = getattr(split.frames, "block", CHUNK)
    report(f"check {name} fields", 0, total)
    for start in range(0, total, block):
        stop = min(start + block, total)
        try:
            yield start, compute(start, stop)
        except KdbenchError as error:
            if stop - start == 1:
                yield start, str(error)
            else:
                yield from ((place, _try(compute, place)) for place in range(start, stop))
        report(f"check {name} fields", stop, total)


def _try(compute: Compute, place: int) -> NDArray[Any] | str:
    try:
        return compute(place, place + 1)
    except KdbenchError as error:
        return str(error)
