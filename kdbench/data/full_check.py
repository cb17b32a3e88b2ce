"""Checks all of a dataset, although some of its items cannot be used: these are left out of the rest and reported with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from kdbench.contracts.values import Owned
from kdbench.data.dataset import Report, silent
from kdbench.data.prepare import DataReport, Problem, check, quarantine_lines
from kdbench.errors import KdbenchError, UnusableItems
from kdbench.storage.atomic import write_text


def check_all(
    opened: Callable[[Path | None], Owned],
    listed: Path | None = None,
    report: Report | None = None,
    jobs: int | None = None,
    check: Callable[[Owned, Report, int | None], DataReport] = check,
) -> DataReport:
    """`check` of the dataset that `opened` returns, given the list of items to leave out, at first `listed`.

    Items that the dataset refuses as UnusableItems are problems of the report. If nothing is left without them, `rest` of the
    report says so.
    """
    unusable: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="kdbench-") as folder:
        path = listed
        while True:
            try:
                found = check(opened(path), report or silent, jobs)
            except UnusableItems as error:
                if error.items.keys() <= unusable.keys():  # the dataset does not leave out what it is told to
                    raise
                unusable |= error.items
                path = Path(folder, "quarantine.txt")
                text = listed.read_text(encoding="utf-8-sig") if listed and listed.is_file() else ""
                write_text(path, "".join(f"{line}\n" for line in (*text.split("\n"), *quarantine_lines(unusable))))
                continue
            except KdbenchError as error:
                if not unusable:
                    raise
                found = DataReport({}, rest=str(error).replace(str(path), str(listed or "the rest")))
            break
    problems = [Problem(None, None, source, error) for source, error in unusable.items()]
    if not problems:
        return found
    return DataReport(
        found.counts, [*problems, *found.problems], None, found.differences, found.duplicates, found.notes, found.rest
    )
