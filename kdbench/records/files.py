"""Reading and writing files under results/: writes are atomic, and errors name the file and the field."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from kdbench.errors import KdbenchError, RecordError
from kdbench.records.names import ARRAYS, RUN_FILE, TRACE, record_path, units_path
from kdbench.records.record import DONE, Record
from kdbench.records.sealed import Sealed, sealed
from kdbench.records.sources import Disk, RecordFile
from kdbench.records.stored import belonging, stored_arrays, stored_trace
from kdbench.records.tasks import task_of
from kdbench.records.trace import Trace
from kdbench.storage.atomic import write_text, written
from kdbench.storage.digest import file_digest
from kdbench.storage.plain_file import read_plain
from kdbench.suite.spec import RunSpec

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins

__all__ = [
    "find_records",
    "is_finished",
    "read_arrays",
    "read_model",
    "read_record",
    "read_trace",
    "record_path",
    "recorded",
    "units_path",
    "write_arrays",
    "write_model",
    "write_record",
    "write_trace",
    "write_units",
]
Model = TypeVar("Model", bound=Sealed)


def write_record(results: Path, record: Record) -> Path:
    """Writes a record whole or not at all."""
    return write_model(record_path(results, record.spec.suite, record.run_id), record)


def read_record(path: Path) -> Record:
    """Reads a record. Raises RecordError, naming the file and the field."""
    return read_model(Record, path, "a record")


def write_model(path: Path, model: Sealed) -> Path:
    """Writes a model as JSON, whole or not at all."""
    return write_text(path, sealed(model))


def read_model(kind: type[Model], path: Path, what: str, hint: str = "") -> Model:
    """Reads what `write_model` wrote. Raises RecordError, naming the file and the field."""
    try:
        return kind.model_validate_json(read_plain(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        unknown = first["type"] == "literal_error"  # such as a file of another format
        told = f"found {first['input']!r}; expected {first['ctx']['expected']}" if unknown else first["msg"]
        raise RecordError(f"{path}: not {what}: {where}: {told}{hint}") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a null character, of names that were read from a file
        raise RecordError(f"{path}: cannot be read ({error})") from error


def write_arrays(record: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Writes the arrays of a run beside its record and returns the file's sha256. Integers are stored in the smallest type."""
    return _write_npz(record.with_suffix(ARRAYS), arrays)


def renumbered(units: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[Any]]:
    """Test units in order of appearance over all queries, from 0: how a file has them."""
    if not units:
        return {}
    whole = np.concatenate(list(units.values()))
    _, first, codes = np.unique(whole, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.uint32)
    order[np.argsort(first)] = np.arange(len(first))
    numbered = np.split(order[codes], np.cumsum([len(part) for part in units.values()])[:-1])
    return dict(zip(units, numbered, strict=True))


def write_units(record: Path, split_digest: str, units: Mapping[str, NDArray[np.int64]]) -> str | None:
    """Writes the units of a test split's queries, renumbered in order of appearance, and returns the file's sha256.

    Returns None without units. All records of a split in a folder use the same file.
    """
    if not units:
        return None
    return _write_npz(units_path(record, split_digest), renumbered(units))


def write_trace(record: Path, trace: Trace) -> str:
    """Writes the trace of a run beside its record and returns the file's sha256."""
    path = record.with_suffix(TRACE)
    text = json.dumps(trace.model_dump(exclude_defaults=True), ensure_ascii=False, separators=(",", ":"))
    write_text(path, text + "\n")
    return file_digest(path)


def read_arrays(path: Path, plugins: Plugins | None = None) -> dict[str, NDArray[Any]]:
    """The stored arrays of the record at `path`. Integers are returned as int32, or as int64 if int32 is too small.

    Raises RecordError if the file is missing, damaged, of another run, or not valid for the task.
    """
    record, file = read_record(path), RecordFile(Disk(), path.as_posix())
    with _named(file.arrays):
        if record.arrays_sha256 is None:
            raise RecordError("its record was written without arrays")
        task = task_of(record.spec.task, plugins)
        arrays = stored_arrays(record, file, task)
        for what, found, expected in task.problems(arrays, record.sizes):
            raise RecordError(f"{what}: found {found}, expected {expected}")
    return arrays


def read_trace(path: Path) -> Trace:
    """The trace of the record at `path`. Raises RecordError if it is missing, damaged, or of another run."""
    record, file = read_record(path), RecordFile(Disk(), path.as_posix())
    with _named(file.trace):
        if record.trace_sha256 is None:
            raise RecordError("its record was written without a trace")
        return stored_trace(record, file)


@contextmanager
def _named(file: str) -> Iterator[None]:
    try:
        yield
    except RecordError as error:
        raise RecordError(f"{file}: {error}") from error


def find_records(paths: Iterable[Path]) -> list[Path]:
    """The given files and the record files in the given folders, each once.

    Raises RecordError if a path does not exist, and for a suite: its records are meant.
    """
    found: dict[str, Path] = {}
    folders: dict[str, str] = {}

    def real(file: Path) -> str:
        """Resolves each folder only once, because there are thousands of files."""
        folder, name = os.path.split(file)
        if os.path.islink(file):
            return os.path.realpath(file)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        return os.path.join(folders[folder], name)

    for path in paths:
        if path.is_dir():
            files = [file for file in sorted(path.rglob("*.json")) if RUN_FILE.fullmatch(file.name)]
        elif path.exists() and path.suffix in (".yaml", ".yml"):
            raise RecordError(f"{path}: found a suite; expected its records, a folder such as {Path('results') / path.stem}")
        elif path.exists():
            files = [path]
        else:
            raise RecordError(f"{path}: no such file or folder")
        for file in files:
            found.setdefault(real(file), file)
    return list(found.values())


def recorded(results: Path, spec: RunSpec) -> Record | None:
    """The record of a run; None if there is none, or none that can be used (the run is then executed again).

    A record that cannot be read is not used, nor one whose arrays are missing or damaged, from which no table is made, nor one
    whose end is before its start, which only a clock set back under an earlier version has left: `verify` refuses it.

    Raises KdbenchError if a plugin's default has changed without a new version: the record is then of another run.
    """
    path = record_path(results, spec.suite, spec.run_id)
    try:
        record = read_record(path)
    except RecordError:
        return None
    if record.finished < record.started or not _has_its_arrays(record, path):
        return None
    if changed := spec.disagreement(record.spec):
        raise KdbenchError(
            f"{path}: a default has changed since this run was recorded ({changed}); a plugin that changes a default raises "
            "its `Offer.version`"
        )
    return record


def _has_its_arrays(record: Record, path: Path) -> bool:
    if record.arrays_sha256 is None:
        return True
    file = RecordFile(Disk(), path.as_posix())
    try:
        belonging(file, file.arrays, record.arrays_sha256)
    except RecordError:
        return False
    return True


def is_finished(results: Path, spec: RunSpec) -> bool:
    """Whether a run has a record that only `--redo` may replace."""
    record = recorded(results, spec)
    return record is not None and record.status in DONE


def _write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    small: dict[str, Any] = {name: _small(values) for name, values in arrays.items()}
    with written(path) as stream:
        np.savez_compressed(stream, **small)
    return file_digest(path)


def _small(values: NDArray[Any]) -> NDArray[Any]:
    """Integers in the smallest type that fits."""
    if values.dtype.kind not in "iu" or values.min(initial=0) < 0 or values.max(initial=0) >= 2**32:
        return values
    return values.astype(np.uint16 if values.max(initial=0) < 2**16 else np.uint32)
