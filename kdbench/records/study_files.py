"""The summaries of studies in the folders of records, each study once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kdbench.errors import RecordError
from kdbench.records.study_summary import FOLDER, PARETO, StudySummary, read_summary
from kdbench.records.verify.study_summaries import contradiction


def read_studies(paths: Iterable[Path]) -> tuple[list[StudySummary], list[str]]:
    """The summaries in the `sweep` folders at or below the given folders, and a line for each file left out.

    Files are left out if they are not a summary, are inconsistent, or differ from an earlier file of the same study.
    """
    found: dict[tuple[str, str], tuple[Path, StudySummary]] = {}
    notes = []
    for path in _files(paths):
        try:
            summary = read_summary(path)
        except RecordError as error:
            notes.append(f"left out: {error}")
            continue
        if wrong := contradiction(summary):
            notes.append(f"left out: {path}: {wrong}")
            continue
        first, same = found.setdefault((summary.suite, summary.study), (path, summary))
        if same != summary:
            notes.append(f"left out: {path}: it differs from the same study's summary in {first}")
    return [summary for _, summary in found.values()], notes


def _files(paths: Iterable[Path]) -> list[Path]:
    folders = [path for path in paths if path.is_dir()]
    files = [file for folder in folders for file in sorted(folder.rglob("*.json"))]
    found = [file for file in files if file.absolute().parent.name == FOLDER and not file.name.endswith(PARETO)]
    return list({file.resolve(): file for file in found}.values())
