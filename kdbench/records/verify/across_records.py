"""What only several records together show to be wrong: repeated runs, changed defaults, contradicting datasets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from kdbench.plugins.loading import Plugins
from kdbench.records.parts import differences
from kdbench.records.problem import Problem
from kdbench.records.record import DONE, Record
from kdbench.records.sources import RecordFile
from kdbench.records.tasks import task_of
from kdbench.storage.digest import digest_of

Pair = tuple[RecordFile, Record]


def repeated(pairs: list[Pair], plugins: Plugins | None) -> Iterator[tuple[RecordFile, Problem]]:
    """Yields records whose run has an earlier record. The first one is kept: its path was given first."""
    first: dict[str, Pair] = {}
    for file, record in pairs:
        known = first.setdefault(record.spec.run_id, (file, record))
        if known[0] is not file:
            same = "the same record" if known[1] == record else f"another record of it{_gap(known[1], record, plugins)}"
            yield (
                file,
                Problem(file.where, f"run {record.run_id} has two records", same, f"one, found first at {known[0].where}"),
            )


def unlike(pairs: list[Pair]) -> Iterator[tuple[RecordFile, Problem]]:
    """Records that have another value than the first of their cell, where each says that its own is the default.

    A default was changed without a new version of its plugin, or was never the default.
    """
    first: dict[str, Pair] = {}
    for file, record in pairs:
        known, other = first.setdefault(record.spec.cell_id, (file, record))
        if changed := record.spec.disagreement(other.spec):
            expected = f"the same values in all records of a cell, as at {known.where}"
            yield file, Problem(file.where, "another default than in records of the same cell", changed, expected)


def outdated(pairs: list[Pair]) -> Iterator[tuple[RecordFile, Problem]]:
    """Yields records made by other code or from other files than the newest of their cell: a row averages one thing only."""
    newest: dict[str, Pair] = {}
    for file, record in pairs:
        if record.parts:
            known = newest.setdefault(record.spec.cell_id, (file, record))
            if record.started > known[1].started:
                newest[record.spec.cell_id] = file, record
    for file, record in pairs:
        latest = newest.get(record.spec.cell_id)
        if latest is not None and (changed := differences(record.parts, latest[1].parts)):
            expected = (
                f"as in the newest record of the cell, {latest[0].where}; `kdbench run` with --redo executes the run again"
            )
            yield file, Problem(file.where, "a run of other code or files", "; ".join(changed), expected)


def students_of_others(pairs: list[Pair]) -> Iterator[tuple[RecordFile, Problem]]:
    """Yields records of transfer runs that evaluated another student than the one that the record of its training is of.

    Nothing is known of records that do not hold the student's digest, or whose training has no record here.
    """
    runs = {record.spec.run_id: (file, record) for file, record in reversed(pairs)}  # the first of two
    for file, record in pairs:
        if record.student_digest is None or record.status not in DONE or record.spec.training.run_id not in runs:
            continue
        trained, training = runs[record.spec.training.run_id]
        if record.student_digest != training.digest_of_student:
            expected = f"{training.digest_of_student}, that of {trained.where}; `kdbench run` evaluates it again"
            what = "student_digest: not that of the trained student"
            yield file, Problem(file.where, what, record.student_digest, expected)


def contradicting(pairs: list[Pair]) -> Iterator[tuple[RecordFile, Problem]]:
    """Yields records that contradict others about a dataset.

    Two digests of one dataset with the same parameters in one suite cannot both be right, and records alone do not show which
    one is. A digest in more than half of the records is accepted, which keeps these usable; without such a majority, all are
    rejected. Sizes under one digest are treated in the same way.
    """
    yield from _outvoted(pairs, _dataset, lambda record: record.dataset_digest, "dataset_digest")
    yield from _outvoted(pairs, lambda record: record.split_digest, lambda record: str(sorted(record.sizes.items())), "sizes")


def _outvoted(
    pairs: list[Pair], key: Callable[[Record], Any], value: Callable[[Record], str | None], what: str
) -> Iterator[tuple[RecordFile, Problem]]:
    groups: dict[Any, list[Pair]] = defaultdict(list)
    for file, record in pairs:
        if record.status == "ok":
            groups[key(record)].append((file, record))
    for group in groups.values():
        votes = Counter(value(record) for _, record in group)
        if len(votes) == 1:
            continue
        (most, count), *_ = votes.most_common()
        decided = 2 * count > len(group)
        for file, record in group:
            found = value(record)
            if found == most and decided:
                continue
            others = "; ".join(
                f"{other} ({times} of {len(group)} records)" for other, times in votes.most_common() if other != found
            )
            expected = others if decided else f"one for all, but others have {others}, and at most half agree"
            name = record.spec.dataset.name
            yield file, Problem(file.where, f"{what} of {name} differs from that of the others", str(found), expected)


def _dataset(record: Record) -> str:
    return digest_of([record.spec.suite, record.spec.dataset.canonical])


def _gap(one: Record, other: Record, plugins: Plugins | None) -> str:
    """The difference of their headline metrics, for a message."""
    if not one.metrics or not other.metrics or one.metrics == other.metrics:
        return ""
    metric = task_of(one.spec.task, plugins).headline
    first, second = (f"{metric.scale * record.metrics[metric.name]:.{metric.decimals + 1}f}" for record in (one, other))
    return f", with {metric.label} {second} instead of {first}"
