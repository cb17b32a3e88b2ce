"""Seeds that rows lack: a seed may have been left out because its figures were not liked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from kdbench.errors import counted
from kdbench.records.protocol import Protocol
from kdbench.records.record import Record

NAMED = 4  # rows, before the rest are counted


def uneven(records: Iterable[Record]) -> list[str]:
    """A sentence for the seeds that rows lack and others of their table and suite have, and for those that all of these lack
    between the first and the last.

    Give unfinished records too: a seed that failed or diverged is not lacking. Rows of a race have unequal numbers of seeds by
    design, and each lacks only what is missing below its own last. Suites may have unequal seeds.
    """
    seeds: dict[str, set[int]] = defaultdict(set)  # by cell
    tables: dict[tuple[str, str], dict[str, Record]] = defaultdict(dict)  # by protocol and suite, a record of each cell
    placed: set[str] = set()
    for record in records:
        seeds[record.spec.cell_id].add(record.spec.seed)
        if record.status == "ok" and not record.spec.reference and record.spec.cell_id not in placed:
            placed.add(record.spec.cell_id)
            tables[Protocol.of(record).id, record.spec.suite][record.spec.cell_id] = record
    found = []
    for (_, suite), cells in tables.items():
        protocol = Protocol.of(next(iter(cells.values())))
        there = set().union(*(seeds[cell] for cell in cells))
        lacking: dict[tuple[int, ...], list[str]] = defaultdict(list)
        for cell, record in cells.items():
            wanted = set(range(max(seeds[cell]) + 1)) if protocol.race else there
            if missing := tuple(sorted(wanted - seeds[cell])):
                lacking[missing].append(record.spec.cell_label)
        where = f"{protocol.regime}, " if protocol.regime else ""
        of = f"suite {suite}, {where}{protocol.dataset}"
        why = "that it should have run before its last" if protocol.race else "that other rows of the table have"
        found += [f"{of}: no record of {_seeds(missing)} {why}: {_rows(names)}" for missing, names in lacking.items()]
        between = set(range(min(there), max(there))) - there
        if between and not protocol.race:
            found.append(f"{of}: no row has {_seeds(between)}, although there are seeds {min(there)} to {max(there)}")
    return found


def _seeds(seeds: Collection[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, sorted(seeds)))}"


def _rows(names: list[str]) -> str:
    more = f" and {counted(len(names) - NAMED, 'more row')}" if len(names) > NAMED else ""
    return ", ".join(sorted(names)[:NAMED]) + more
