"""Records: one small JSON file a run, its ranks beside it. Everything shown later is derived from these again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar
from zipfile import BadZipFile

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from kdbench.errors import RecordError
from kdbench.storage.cache import file_digest
from kdbench.tasks.retrieval.ranks import Ranks

RUN_FILE = re.compile(r"[0-9a-f]{12}\.json")
Model = TypeVar("Model", bound=BaseModel)
RANKS, SERIES = ".ranks.npz", ".series.json"  # instead of a record's `.json`
Status = Literal["ok", "skipped", "failed", "diverged"]
DONE: tuple[Status, ...] = ("ok", "diverged")  # these follow from the spec; the others may go better next time


class Record(BaseModel):
    """What is known of one run. Metrics of retrieval are shares under CLIP_benchmark's names; `rsum` is in percent."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    run_id: str
    cell_id: str
    label: str
    status: Status
    reason: str = ""  # of any status but ok
    spec: dict[str, Any]
    reconstructions: list[str] = []  # labels of its methods whose source leaves something open
    metrics: dict[str, float] = {}  # on the test split
    validation: dict[str, float] = {}  # of the best epoch, which is the one ranked
    best_epoch: int | None = None
    steps: int | None = None
    weights: dict[str, float] = {}  # mean over all steps, by teacher
    dynamics: dict[str, float] = {}  # the series in a few figures: entropy of the weights, cosines and conflicts of gradients
    sizes: dict[str, int] = {}  # images, captions and concepts of the test split
    dataset_digest: str | None = None
    licence: str | None = None
    ranks_sha256: str | None = None
    concepts_sha256: str | None = None  # of the file that says what the test split's images and captions show
    series_sha256: str | None = None
    timings: dict[str, float] = {}  # seconds: teacher (shared by every run with them), train, strategy (part of it), evaluate
    encodings: dict[str, float] = {}  # seconds of each thing made for its teachers, by cache key: others may have used it too
    peak_mb: float | None = None  # 10⁶ bytes that its process, or its GPU, held at most
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None
    host: dict[str, Any]
    device: str
    threads: int
    started: str
    finished: str


def record_path(results: Path, suite: str, run_id: str) -> Path:
    return results / suite / f"{run_id}.json"


def ranks_path(record: Path) -> Path:
    return record.with_suffix(RANKS)


def write_ranks(record: Path, ranks: Ranks) -> str:
    """Writes the ranks that belong to a record and returns the file's sha256."""
    path = ranks_path(record)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, text=_small(ranks.text), image=_small(ranks.image))
    os.replace(partial, path)
    return file_digest(path)


def read_ranks(record: Path) -> Ranks:
    """Raises RecordError where the file is missing, damaged, or not the one the record was written with."""
    path = ranks_path(record)
    expected = read_record(record).ranks_sha256
    try:
        if file_digest(path) != expected:
            raise RecordError(f"{path}: its sha256 is not the one its record holds")
        with np.load(path, allow_pickle=False) as arrays:
            return Ranks(text=arrays["text"].astype(np.int32), image=arrays["image"].astype(np.int32))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error


def series_path(record: Path) -> Path:
    return record.with_suffix(SERIES)


def write_series(record: Path, series: dict[str, Any]) -> str:
    """Writes the series of windows that belongs to a record and returns the file's sha256."""
    path = series_path(record)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(series, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return file_digest(path)


def read_series(record: Path) -> dict[str, Any]:
    """Raises RecordError where the file is missing, damaged, or not the one the record was written with."""
    path = series_path(record)
    expected = read_record(record).series_sha256
    if expected is None:
        raise RecordError(f"{path}: its record was written without a series")
    try:
        if file_digest(path) != expected:
            raise RecordError(f"{path}: its sha256 is not the one its record holds")
        series: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    return series


def write_record(results: Path, record: Record) -> Path:
    """Written whole or not at all."""
    return write_model(record_path(results, record.spec["suite"], record.run_id), record)


def read_record(path: Path) -> Record:
    """Raises RecordError, naming the file and the field."""
    return read_model(Record, path, "a record")


def write_model(path: Path, model: BaseModel) -> Path:
    """Written whole or not at all, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    partial.write_text(model.model_dump_json(indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path


def read_model(kind: type[Model], path: Path, what: str, hint: str = "") -> Model:
    """A file that `write_model` has written. Raises RecordError, naming the file and the field."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise RecordError(f"{path}: not {what}: {where}: {first['msg']}{hint}") from error


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
            files = [file for file in sorted(path.rglob("*.json")) if _is_record(file)]
        elif path.exists():
            files = [path]
        else:
            raise RecordError(f"{path}: no such file or folder")
        for file in files:
            found.setdefault(real(file), file)
    return list(found.values())


def _is_record(path: Path) -> bool:
    """Run ids name record files; other JSON files may lie beside them."""
    return RUN_FILE.fullmatch(path.name) is not None


def recorded(results: Path, suite: str, run_id: str) -> Record | None:
    """The record of a run, None where there is none or it cannot be read (the run is then done again)."""
    path = record_path(results, suite, run_id)
    try:
        return read_record(path) if path.exists() else None
    except RecordError:
        return None


def _small(ranks: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return ranks.astype(np.uint16 if ranks.max(initial=0) < 2**16 else np.uint32)
