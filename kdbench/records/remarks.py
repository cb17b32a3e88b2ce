"""What a reader of several valid records should know and no figure shows. Unlike a problem, a remark may be honest."""

from __future__ import annotations

from collections.abc import Iterable

from kdbench.errors import counted
from kdbench.records.identical import identical
from kdbench.records.mixed import mixed
from kdbench.records.record import Record
from kdbench.records.seeds import uneven


def remarks(records: Iterable[Record]) -> list[str]:
    """A sentence for each: plugins that changed between rows, seeds that rows lack, identical rows, missing traces.

    Give unfinished records too.
    """
    records = list(records)
    good = [record for record in records if record.status == "ok"]
    return [*mixed(good), *uneven(records), *identical(records), *_untraced(good)]


def _untraced(records: Iterable[Record]) -> list[str]:
    """Every training with teachers leaves a trace."""
    found = [record for record in records if record.spec.team and not record.spec.transfer and record.trace_sha256 is None]
    if not found:
        return []
    runs = counted(len(found), "run")
    return [f"{runs} with teachers but without a trace, such as {found[0].label}: nothing shows how they were weighted"]
