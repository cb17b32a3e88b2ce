"""What test splits show, from the files beside their records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from kdbench.errors import RecordError
from kdbench.records.record import Record
from kdbench.records.sources import Item
from kdbench.records.verify.problem import Problem
from kdbench.tasks.retrieval.concepts import Ints, concepts_path, read_concepts

Concepts = dict[str, tuple[Ints, Ints]]  # dataset digest → concepts of images [N] and captions [M]


def name_of(item: Item, record: Record) -> str:
    """Of the file beside a record that is ok."""
    return concepts_path(Path(item.name), record.dataset_digest or "").as_posix()


def concepts_of(pairs: Iterable[tuple[Item, Record]]) -> tuple[Concepts, list[Problem]]:
    """Of all datasets that have such a file, and what is wrong with files; records from before there were any need none."""
    found: Concepts = {}
    seen = set()
    problems: list[Problem] = []
    for item, record in pairs:
        key = item.folder, record.dataset_digest, record.concepts_sha256
        if record.status == "ok" and key not in seen:
            seen.add(key)
            problems += _take(found, item, record)
    return found, problems


def _take(found: Concepts, item: Item, record: Record) -> Iterator[Problem]:
    name = name_of(item, record)
    where = item.place.shown(name)
    expected = f"that of sha256 {record.concepts_sha256}" if record.concepts_sha256 else "what the test split shows"
    try:
        content = item.read(name)
        if content is None:
            if record.concepts_sha256:
                yield Problem(where, "missing: what the test split shows", "no such file", expected)
            return
        sha256 = hashlib.sha256(content).hexdigest()
        if record.concepts_sha256 not in (None, sha256):
            yield Problem(where, "not the concepts that the record was written with", f"sha256 {sha256}", expected)
            return
        concepts = read_concepts(content, record.sizes)
    except RecordError as error:
        yield Problem(where, "concepts unusable", str(error), expected)
        return
    known = found.setdefault(record.dataset_digest or "", concepts)
    if not all((one == other).all() for one, other in zip(known, concepts, strict=True)):
        yield Problem(
            where, "concepts that differ from those of another folder", f"sha256 {sha256}", "one content for a dataset"
        )
