"""What a reader of several valid records should know and no figure shows. Unlike a problem, a remark may be honest."""

from __future__ import annotations

from collections.abc import Iterable

from kdbench.records.identical import identical
from kdbench.records.mixed import mixed
from kdbench.records.record import Record
from kdbench.records.seeds import uneven


def remarks(records: Iterable[Record]) -> list[str]:
    """A sentence for each: plugins that changed between rows, seeds that rows lack, rows with identical results.

    Give unfinished records too.
    """
    records = list(records)
    return [*mixed(record for record in records if record.status == "ok"), *uneven(records), *identical(records)]
