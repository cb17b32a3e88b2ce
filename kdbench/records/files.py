"""Files under results/: what they are called, written whole, read with the file and the field in every error."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from kdbench.errors import KdbenchError, RecordError
from kdbench.records.record import Record
from kdbench.records.trace import Trace
from kdbench.storage.atomic import write_text, written
from kdbench.storage.digest import file_digest
from kdbench.suite.spec import RunSpec

RUN_FILE = re.compile(r"[0-9a-f]{12}\.json")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Suffixes:
    """Of the files beside a record, in place of its `.json`; that of units follows the dataset's digest."""

    arrays: str
    trace: str
    units: str


SUFFIXES = {1: Suffixes(".ranks.npz", ".series.json", ".concepts.npz"), 2: Suffixes(".test.npz", ".trace.json", ".units.npz")}
NOW = SUFFIXES[2]


def record_path(results: Path, suite: str, run_id: str) -> Path:
    """Where a run's record is written."""
    return results / suite / f"{run_id}.json"


def write_record(results: Path, record: Record) -> Path:
    """Writes a record whole or not at all."""
    return write_model(record_path(results, record.spec.suite, record.run_id), record)


def read_record(path: Path) -> Record:
    """Raises RecordError, naming the file and the field."""
    return read_model(Record, path, "a record")


def write_model(path: Path, model: BaseModel) -> Path:
    """Writes a model as JSON, whole or not at all."""
    return write_text(path, model.model_dump_json(indent=1) + "\n")


def read_model(kind: type[Model], path: Path, what: str, hint: str = "") -> Model:
    """Reads what `write_model` wrote. Raises RecordError, naming the file and the field."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise RecordError(f"{path}: not {what}: {where}: {first['msg']}{hint}") from error


def write_arrays(record: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Writes what each test query scored beside a record and returns the file's sha256. Integers take as few bytes as fit."""
    return _write_npz(record.with_suffix(NOW.arrays), arrays)


def write_units(record: Path, dataset_digest: str, units: Mapping[str, NDArray[np.int64]]) -> str | None:
    """Writes the test units of a dataset's queries, numbered as they come, and returns the file's sha256; None without units.

    Records of one dataset share the file.
    """
    if not units:
        return None
    whole = np.concatenate(list(units.values()))
    _, first, codes = np.unique(whole, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.uint32)
    order[np.argsort(first)] = np.arange(len(first))
    numbered = np.split(order[codes], np.cumsum([len(part) for part in units.values()])[:-1])
    path = units_path(record, dataset_digest)
    return _write_npz(path, dict(zip(units, numbered, strict=True)))


def units_path(record: Path, dataset_digest: str, format: int = 2) -> Path:
    """The file of a dataset's test units beside a record."""
    return record.with_name(f"{dataset_digest[:12]}{SUFFIXES[format].units}")


def write_trace(record: Path, trace: Trace) -> str:
    """Writes the trace of a run beside its record and returns the file's sha256."""
    path = record.with_suffix(NOW.trace)
    text = json.dumps(trace.model_dump(exclude_defaults=True), ensure_ascii=False, separators=(",", ":"))
    write_text(path, text + "\n")
    return file_digest(path)


def read_trace(path: Path) -> Trace:
    """The trace of the record at `path`. Raises RecordError where it is missing, damaged, or another run's."""
    record = read_record(path)
    file = path.with_suffix(SUFFIXES[record.format].trace)
    if record.trace_sha256 is None:
        raise RecordError(f"{file}: its record was written without a trace")
    try:
        if file_digest(file) != record.trace_sha256:
            raise RecordError(f"{file}: its sha256 is not the one its record holds")
        return Trace.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RecordError(f"{file}: cannot be read ({error})") from error


def find_records(paths: Iterable[Path]) -> list[Path]:
    """The files given, and the record files in the folders given, each once. Raises RecordError where one does not exist."""
    found: dict[str, Path] = {}
    folders: dict[str, str] = {}

    def real(file: Path) -> str:
        """Each folder is resolved once: there are thousands of files."""
        folder, name = os.path.split(file)
        if os.path.islink(file):
            return os.path.realpath(file)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        return os.path.join(folders[folder], name)

    for path in paths:
        if path.is_dir():
            files = [file for file in sorted(path.rglob("*.json")) if RUN_FILE.fullmatch(file.name)]
        elif path.exists():
            files = [path]
        else:
            raise RecordError(f"{path}: no such file or folder")
        for file in files:
            found.setdefault(real(file), file)
    return list(found.values())


def recorded(results: Path, spec: RunSpec) -> Record | None:
    """The record of a run, whichever format it was written in; None where there is none that can be read (it is run again).

    Raises KdbenchError where a default has changed under an unchanged plugin version: the record is then of another run.
    """
    path = record_path(results, spec.suite, spec.run_id)
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            return None
        path = _format1(folder, folder.stat().st_mtime_ns).get(spec.run_id, path)
    try:
        record = read_record(path) if path.exists() else None
    except RecordError:
        return None
    if record is not None and (changed := spec.disagreement(record.spec)):
        raise KdbenchError(
            f"{path}: a default has changed since this run was recorded ({changed}); a plugin that changes a default raises "
            "its `Offer.version`"
        )
    return record


@lru_cache(maxsize=16)
def _format1(folder: Path, modified: int) -> dict[str, Path]:  # noqa: ARG001  the time makes the cache forget
    """The records of format 1 in a folder, by the id their runs have today."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        if RUN_FILE.fullmatch(file.name) and b'"format":1' in _head(file):
            try:
                found[read_record(file).spec.run_id] = file
            except RecordError:
                continue
    return found


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(64).replace(b" ", b"").replace(b"\n", b"")


def _write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    with written(path) as stream:
        np.savez_compressed(stream, **{name: _small(values) for name, values in arrays.items()})
    return file_digest(path)


def _small(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind not in "iu" or values.min(initial=0) < 0:
        return values
    return values.astype(np.uint16 if values.max(initial=0) < 2**16 else np.uint32)
