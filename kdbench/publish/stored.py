"""Recomputes what a record says from the files beside it: metrics from ranks, weights and dynamics from the series."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import RecordError
from kdbench.publish.alone import EXACT
from kdbench.publish.places import UNREADABLE, Item
from kdbench.publish.problem import Problem
from kdbench.ranks import Ranks
from kdbench.records import Record

HEADER = 4096  # bytes that an array file may have beside its numbers
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
    limit = 8 * max(record.sizes["images"], record.sizes["captions"]) + HEADER
    try:
        with ZipFile(io.BytesIO(content)) as members:
            sizes = {member.filename: member.file_size for member in members.infolist()}
            if sorted(sizes) != ["image.npy", "text.npy"] or max(sizes.values()) > limit:
                raise RecordError(f"it holds {sizes} (bytes), expected image.npy and text.npy of at most {limit} bytes")
            return Ranks(*(_whole(_array(members.read(name))) for name in ("text.npy", "image.npy")))
    except (*UNREADABLE, BadZipFile, ValueError, KeyError, MemoryError) as error:
        raise RecordError(f"cannot be read ({error})") from error


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


def _array(content: bytes) -> NDArray[Any]:
    """Of an .npy file. Thousands of them have one header, which NumPy reads slowly."""
    end = 10 + int.from_bytes(content[8:10], "little")
    shape, dtype = _layout(content[:end])
    if dtype.hasobject:
        raise RecordError("found Python objects, expected whole numbers")
    return np.frombuffer(content, dtype, offset=end).reshape(shape)


@lru_cache
def _layout(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    stream = io.BytesIO(header)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise RecordError(f"an .npy file of version {version}, expected 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return shape, dtype


def _whole(ranks: NDArray[Any]) -> NDArray[np.int32]:
    if ranks.ndim != 1 or ranks.dtype.kind not in "iu" or not ranks.size:
        raise RecordError(f"found {ranks.dtype} of shape {list(ranks.shape)}, expected whole numbers in a row")
    if ranks.max() > np.iinfo(np.int32).max:
        raise RecordError(f"found a rank of {ranks.max()}, which no gallery has")
    return ranks.astype(np.int32)


def _mean_weights(series: dict[str, Any]) -> dict[str, float]:
    """Over all steps, from windows that may differ in length."""
    lengths = np.diff([0, *series["step"]])
    if (lengths < 1).any():
        raise ValueError("its steps do not grow")
    return {name: float(lengths @ np.array(column) / lengths.sum()) for name, column in series.get("weights", {}).items()}


def _dynamics(series: dict[str, Any]) -> dict[str, float]:
    from kdbench.series import digest

    return digest({"weights": {}, "entropy": [], "cosines": {}, "conflict": [], **series})
