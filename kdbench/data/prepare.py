"""Checks a dataset before it is used: counts, damaged images, digest; and decodes it ahead of runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdbench.contracts import Dataset, Split, SplitName
from kdbench.data.dataset import SPLITS, CachedDataset, Report, silent
from kdbench.data.decode import FEW, image_header, in_order, other_files
from kdbench.errors import KdbenchError, of_machine
from kdbench.storage.atomic import write_text
from kdbench.storage.cache import Cache
from kdbench.storage.digest import digest_of


@dataclass(frozen=True)
class Counts:
    """The size of a split."""

    images: int
    captions: int
    concepts: int


@dataclass(frozen=True)
class Problem:
    """An item that cannot be used. `source` is its file, empty if the dataset does not name it.

    Without split and index the dataset itself refused it, because of its captions or because a part of it is missing.
    """

    split: SplitName | None
    index: int | None
    source: str
    error: str


@dataclass(frozen=True)
class DataReport:
    """The result of `check`. `digest` is the dataset digest of records; None if there are problems.

    `differences` are counts that differ from those that the dataset's source states. `duplicates` are pairs of images in
    different splits with identical pixels, which invalidate the test. `notes` say what the dataset left aside or chose; `rest`
    why nothing is left without the problems.
    """

    counts: Mapping[SplitName, Any]  # `Counts`, or what else a task counts, as a dataclass of numbers
    problems: list[Problem] = field(default_factory=list)
    digest: str | None = None
    differences: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rest: str = ""


def check(dataset: Dataset, report: Report | None = None, jobs: int | None = None) -> DataReport:
    """Decodes every image in `jobs` threads (by default one per core) without storing it; continues after failures.

    Raises KdbenchError if a split cannot be listed. `report` receives stage, done and total.
    """
    notify = report or silent
    counts: dict[SplitName, Counts] = {}
    problems: list[Problem] = []
    files: dict[str, str] = {}
    splits: dict[SplitName, Split] = {}
    seen: dict[bytes, tuple[SplitName, int]] = {}
    duplicates: list[tuple[str, str]] = []
    for name in SPLITS:
        splits[name] = split = dataset.split(name)
        concepts = np.union1d(split.image_concepts, split.caption_concepts)
        counts[name] = Counts(len(split.images), len(split.captions), len(concepts))
        whole = hashlib.sha256(image_header(len(split.images), dataset.size))
        notify(f"check {name} images", 0, len(split.images))
        for index, found in enumerate(_decoded(split, dataset.size, jobs or os.cpu_count() or 1)):
            if isinstance(found, str):
                problems.append(Problem(name, index, split.sources[index] if split.sources else "", found))
            else:
                whole.update(found.data)
                other, first = seen.setdefault(hashlib.blake2b(found.data, digest_size=16).digest(), (name, index))
                if other != name:
                    duplicates.append((_place(splits[other], other, first), _place(split, name, index)))
            if (index + 1) % FEW == 0 or index + 1 == len(split.images):
                notify(f"check {name} images", index + 1, len(split.images))
        files[f"{name}.images.npy"] = whole.hexdigest()
        for file, content in other_files(split, name).items():
            hashed = hashlib.sha256()
            for piece in content:
                hashed.update(piece)
            files[file] = hashed.hexdigest()
    digest = None if problems else digest_of(files)
    notes: list[str] = list(getattr(dataset, "notes", ()))
    return DataReport(counts, problems, digest, list(_differences(dataset, counts)), duplicates, notes)


def prepare(dataset: Dataset, cache: Cache, jobs: int | None = None, report: Report | None = None) -> CachedDataset:
    """Decodes a dataset into the cache in `jobs` threads (by default one per core) and returns the cached dataset.

    The result is bit-identical to that of a run. Called again after an interrupt, it resumes after the last finished images.
    """
    prepared = CachedDataset(dataset, cache, report=report or silent, jobs=jobs or os.cpu_count() or 1)
    _ = prepared.decoded  # computed on access
    return prepared


def write_quarantine(path: Path, problems: Iterable[Problem]) -> int:
    """Appends the sources of problems to a file, one per line, and returns the number of new lines.

    Existing lines stay, because a dataset with this file as `quarantine` no longer reports their images. Raises KdbenchError
    for a problem without a source.
    """
    sources = []
    for problem in problems:
        if not problem.source:
            where = f"image {problem.index} of the split {problem.split}"
            raise KdbenchError(f"{where}: its dataset does not name its file (Split.sources), so it cannot be left out")
        sources.append(problem.source)
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    known = {line.strip() for line in text.split("\n")}
    new = [line for line in quarantine_lines(sources) if line not in known]
    if new or not path.exists():
        lines = [line for line in text.split("\n") if line.strip()] + new
        write_text(path, "".join(f"{line}\n" for line in lines))
    return len(new)


def quarantine_lines(sources: Iterable[str]) -> list[str]:
    """The lines of a list for some sources. One that would not be read back as it is becomes a JSON string."""
    return [source if _is_plain(source) else json.dumps(source) for source in dict.fromkeys(sources)]


def _is_plain(source: str) -> bool:
    return source.isprintable() and source == source.strip() and not source.startswith(("#", '"', "\ufeff"))


def _decoded(split: Split, size: int, jobs: int) -> Iterator[NDArray[np.uint8] | str]:
    """Yields every image in order, or its problem."""
    return in_order(lambda index: _try(split, index, size), len(split.images), jobs)


def _place(split: Split, name: SplitName, index: int) -> str:
    return split.sources[index] if split.sources else f"{name} image {index}"


def _try(split: Split, index: int, size: int) -> NDArray[np.uint8] | str:
    try:
        image = np.ascontiguousarray(split.images[index])
    except KdbenchError as error:
        return str(error)
    except Exception as error:  # any exception of the plugin: one bad image must not hide others
        if of_machine(error):
            raise
        return f"{type(error).__name__}: {error}"
    if image.dtype != np.uint8 or image.shape != (size, size, 3):
        return f"found {image.dtype} of shape {image.shape}, expected uint8 of shape ({size}, {size}, 3)"
    return image


def _differences(dataset: Dataset, counts: Mapping[SplitName, Counts]) -> Iterator[str]:
    published: Any = getattr(dataset, "published", {})
    for name, (images, captions) in published.items():
        for what, found, expected in (("images", counts[name].images, images), ("captions", counts[name].captions, captions)):
            if found != expected:
                yield f"{name}: found {found:,} {what}, expected {expected:,} as published"
