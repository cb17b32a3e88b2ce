"""Rows of one table with identical results: one training under several names, or a copy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from kdbench.errors import counted
from kdbench.records.protocol import Protocol
from kdbench.records.record import Record
from kdbench.suite.spec import RunSpec


def identical(records: Iterable[Record]) -> list[str]:
    """A sentence for each pair of trained rows that may be compared and whose stored arrays are equal in a seed.

    Says nothing of a run that two suites contain, with equal settings. Rows may be identical honestly: a strategy that amounts
    to another one, such as weights fixed at equal values or a bound that none reaches, or a best epoch before two strategies
    part.
    """
    groups: dict[tuple[str, str], dict[str, Record]] = defaultdict(dict)  # arrays, which run of a cell → by cell
    for record in records:
        if record.status == "ok" and record.arrays_sha256 and not record.spec.reference:
            groups[record.arrays_sha256, record.spec.which].setdefault(record.spec.cell_id, record)
    shared: dict[tuple[str, str], list[str]] = defaultdict(list)  # cells → which runs
    for (_, which), group in groups.items():
        for one, other in combinations(sorted(group.values(), key=_name), 2):
            if Protocol.of(one).id == Protocol.of(other).id and _training(one.spec) != _training(other.spec):
                shared[_name(one), _name(other)].append(which)
    return [
        f"{one} and {other} have identical results in {counted(len(seeds), 'run')} (seed {', '.join(sorted(seeds))}): one "
        "training under two names, or a copy"
        for (one, other), seeds in sorted(shared.items())
    ]


def _name(record: Record) -> str:
    return f"{record.spec.cell_label} ({record.spec.cell_id})"


def _training(spec: RunSpec) -> str:
    """Equal for runs that train and evaluate the same, whatever suites call them."""
    return spec.replace(suite="any", variant="", regime=False, tuning=None, race=None).run_id
