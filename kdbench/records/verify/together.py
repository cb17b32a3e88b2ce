"""What records show to be wrong only beside each other: a run twice, one dataset with two contents."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from kdbench.records.record import Record
from kdbench.records.sources import Item
from kdbench.records.verify.problem import Problem
from kdbench.storage.digest import digest_of

Pair = tuple[Item, Record]


def repeated(pairs: list[Pair]) -> Iterator[tuple[Item, Problem]]:
    """Every record whose run came before. The first stays, as on a leaderboard: what is given first is trusted most."""
    first: dict[str, Pair] = {}
    for item, record in pairs:
        known = first.setdefault(record.run_id, (item, record))
        if known[0] is not item:
            same = "the same record" if known[1] == record else f"another record of it{_gap(known[1], record)}"
            yield item, Problem(item.where, f"run {record.run_id} is there twice", same, f"one, as at {known[0].where}")


def contradicting(pairs: list[Pair]) -> Iterator[tuple[Item, Problem]]:
    """Records that disagree with the others about a dataset.

    Two digests of one dataset with the same parameters, in one suite, cannot both be right. Which one is, the records
    alone do not tell: one that more than half of them have stands, so that they stay usable, and without such a majority
    none does. The sizes of one digest are treated alike.
    """
    yield from _outvoted(pairs, _dataset, lambda record: record.dataset_digest, "dataset_digest")
    yield from _outvoted(pairs, lambda record: record.dataset_digest, lambda record: str(sorted(record.sizes.items())), "sizes")


def _outvoted(
    pairs: list[Pair], key: Callable[[Record], Any], value: Callable[[Record], str | None], what: str
) -> Iterator[tuple[Item, Problem]]:
    groups: dict[Any, list[Pair]] = defaultdict(list)
    for item, record in pairs:
        if record.status == "ok":
            groups[key(record)].append((item, record))
    for group in groups.values():
        votes = Counter(value(record) for _, record in group)
        if len(votes) == 1:
            continue
        (most, count), *_ = votes.most_common()
        decided = 2 * count > len(group)
        for item, record in group:
            found = value(record)
            if found == most and decided:
                continue
            others = "; ".join(
                f"{other} ({times} of {len(group)} records)" for other, times in votes.most_common() if other != found
            )
            expected = others if decided else f"one for all, but others have {others}, and no more than half agree"
            name = record.spec["dataset"]["name"]
            yield item, Problem(item.where, f"{what} of {name} differs from that of the others", str(found), expected)


def _dataset(record: Record) -> str:
    return digest_of([record.spec["suite"], record.spec["dataset"]])


def _gap(one: Record, other: Record) -> str:
    if "rsum" in one.metrics and "rsum" in other.metrics and one.metrics != other.metrics:
        return f", with RSUM {other.metrics['rsum']:.2f} instead of {one.metrics['rsum']:.2f}"
    return ""
