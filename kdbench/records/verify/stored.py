"""Recomputes what a record says from the files beside it: metrics from ranks, weights and dynamics from the series."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.records.record import Record
from kdbench.records.sources import Item
from kdbench.records.verify.alone import EXACT
from kdbench.records.verify.problem import Problem
from kdbench.storage.archives import whole_numbers
from kdbench.tasks.retrieval.ranks import Ranks

ROUNDED = 1e-6  # series are rounded to six digits


def checked_ranks(record: Record, item: Item) -> tuple[Ranks | None, list[Problem]]:
    """Of a record that is ok and has no problem of its own: its ranks, None where unusable, and what is wrong with them."""
    try:
        ranks = read_ranks(record, item)
    except RecordError as error:
        where, expected = item.place.shown(item.ranks), f"those of sha256 {record.ranks_sha256}"
        return None, [Problem(where, "ranks unusable", str(error), expected)]
    return ranks, list(_ranks_problems(record, item, ranks))


def _ranks_problems(record: Record, item: Item, ranks: Ranks) -> Iterator[Problem]:
    where = item.place.shown(item.ranks)
    images, captions = record.sizes["images"], record.sizes["captions"]
    fits = True
    ways = (("text", ranks.text, images, captions), ("image", ranks.image, captions, images))
    for name, found, queries, candidates in ways:
        if len(found) != queries:
            fits = False
            yield Problem(where, f"{name} ranks", f"{len(found)}", f"{queries}, the queries by the record's sizes")
        elif found.min() < 1 or found.max() > candidates:
            fits = False
            expected = f"1 to {candidates}, the candidates by the record's sizes"
            yield Problem(where, f"{name} ranks out of range", f"{found.min()} to {found.max()}", expected)
    if not fits:
        return
    for metric, value in ranks.metrics(record.spec["evaluate"]["recall_at"]).items():
        if not abs(record.metrics[metric] - value) <= EXACT:
            yield Problem(
                item.where, f"metrics.{metric} does not follow from the ranks", repr(record.metrics[metric]), repr(value)
            )


def read_ranks(record: Record, item: Item) -> Ranks:
    """Raises RecordError where they are missing, not the ones of the record, or no ranks. Nothing is unpickled."""
    content = _belonging(item, item.ranks, record.ranks_sha256)
    longest = max(record.sizes["images"], record.sizes["captions"])
    return Ranks(*map(_ranks, whole_numbers(content, ("text", "image"), longest)))


def series_problems(record: Record, item: Item) -> Iterator[Problem]:
    """Records from before there were series have none, which is fine."""
    where = item.place.shown(item.series)
    if record.series_sha256 is None:
        if item.read(item.series) is not None:
            yield Problem(where, "a series that its record does not know", "a file", "none, or its sha256 in the record")
        return
    try:
        series = json.loads(_belonging(item, item.series, record.series_sha256))
        weights = _mean_weights(series)
        dynamics = _dynamics(series)
    except RecordError as error:
        yield Problem(where, "series unusable", str(error), f"that of sha256 {record.series_sha256}")
        return
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError) as error:
        yield Problem(
            where,
            "series unusable",
            f"{type(error).__name__}: {error}",
            "windows of steps, as a run writes them",
        )
        return
    if series["step"][-1] != record.steps:
        yield Problem(where, "the last step", repr(series["step"][-1]), f"{record.steps}, the record's steps")
    for name, stated, found in [
        *((f"weights.{name}", record.weights.get(name), weights.get(name)) for name in {**record.weights, **weights}),
        *((f"dynamics.{name}", record.dynamics.get(name), dynamics.get(name)) for name in {**record.dynamics, **dynamics}),
    ]:
        if stated is None or found is None or not abs(stated - found) <= ROUNDED:
            yield Problem(item.where, f"{name} does not follow from the series", repr(stated), repr(found))


def _belonging(item: Item, name: str, sha256: str | None) -> bytes:
    content = item.read(name)
    if content is None:
        raise RecordError("no such file")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise RecordError(f"its sha256 is {found}, not the one its record holds")
    return content


def _ranks(found: NDArray[Any]) -> NDArray[np.int32]:
    if found.max() > np.iinfo(np.int32).max:
        raise RecordError(f"found a rank of {found.max()}, which no gallery has")
    return found.astype(np.int32)


def _mean_weights(series: dict[str, Any]) -> dict[str, float]:
    """Over all steps, from windows that may differ in length."""
    lengths = np.diff([0, *series["step"]])
    if (lengths < 1).any():
        raise ValueError("its steps do not grow")
    return {name: float(lengths @ np.array(column) / lengths.sum()) for name, column in series.get("weights", {}).items()}


def _dynamics(series: dict[str, Any]) -> dict[str, float]:
    from kdbench.training.trace import digest

    return digest({"weights": {}, "entropy": [], "cosines": {}, "conflict": [], **series})
