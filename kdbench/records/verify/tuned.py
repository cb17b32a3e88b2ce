"""Whether the parameters of tuned runs are those that their studies found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from kdbench.records.record import Record
from kdbench.records.sources import Item
from kdbench.records.study_summary import FOLDER, value_at
from kdbench.records.verify.problem import Problem
from kdbench.records.verify.studies import NONE_SUCH, Studies, Told
from kdbench.records.verify.together import Pair
from kdbench.suite.plan import RunSpec
from kdbench.tuning.study import Study, with_values

MISSING = (
    "the file that `kdbench sweep` wrote there: copy it, or sweep again (where the suite has nothing to tune of the run, give "
    "its untuned run too)"
)


def told_of(record: Record, studies: Iterable[Told]) -> Told | None:
    """The summary of the study that found a tuned record's parameters: the run that follows from it has that very cell id."""
    return next((told for told in studies if told.tunes == record.cell_id), None) if record.spec.get("tuning") else None


def unfounded(pairs: list[Pair], studies: Studies) -> Iterator[tuple[Item, Problem]]:
    """Tuned records whose parameters no summary beside them accounts for.

    A cell with nothing to tune has no study; its tuned run is then the untuned one, which is among the records.
    """
    runs = {record.run_id for _, record in pairs}
    known: dict[tuple[str, str], list[Told]] = {}  # for all seeds of a cell
    for item, record in pairs:
        beside = studies.get(item.folder, [])
        if not record.spec.get("tuning") or told_of(record, beside):
            continue
        key = item.folder, record.cell_id
        if key not in known:
            known[key] = [told for told in beside if _of_cell(record, told)]
        if same := known[key]:
            yield item, _otherwise(item, record, same)
        elif replace(RunSpec(**record.spec), tuning=None).run_id not in runs:
            found = f"none of its cell in {PurePosixPath(item.folder) / FOLDER}"
            yield item, Problem(item.where, "tuned, without its study's summary", found, MISSING)


def _otherwise(item: Item, record: Record, same: list[Told]) -> Problem:
    """Why the summaries of the record's cell do not account for it."""
    tuning = record.spec["tuning"]
    # One cell may have been tuned with several budgets.
    told = min(same, key=lambda told: (told.summary.settings.get("trials") != _trials(tuning), not told.fine))
    if not told.fine:
        return Problem(item.where, "tuned by a study whose summary is not fine", told.where, "one without a problem")
    summary = told.summary
    study, best = Study(summary.spec, summary.space, summary.settings, summary.version), summary.best_trial
    if tuning != study.how.budget:
        expected = f"{json.dumps(study.how.budget)}, by {told.where}"
        return Problem(item.where, "tuned otherwise than by its study", json.dumps(tuning), expected)
    if best is None:
        return Problem(item.where, "tuned by a study that found nothing", "no best trial", f"one in {told.where}")
    by_study = study.run(best.params).as_dict()
    values = [(path, _shown(record.spec, path), _shown(by_study, path)) for path in _paths(told)]
    found = ", ".join(f"{path} {value}" for path, value, other in values if value != other)
    expected = ", ".join(f"{path} {other}" for path, value, other in values if value != other)
    what = "parameters other than those of its study's best trial"
    return Problem(item.where, what, found, f"{expected}, of trial {best.number} in {told.where}")


def _of_cell(record: Record, told: Told) -> bool:
    """Whether they differ in nothing but what the study tunes, and in budget and seed."""
    try:
        blank = dict.fromkeys(_paths(told))
        one, other = (with_values(RunSpec(**spec), blank) for spec in (record.spec, told.summary.spec))
        return replace(one, tuning=None).cell_id == replace(other, tuning=None).cell_id
    except NONE_SUCH:
        return False


def _shown(spec: dict[str, Any], path: str) -> str:
    try:
        return repr(value_at(spec, path))
    except NONE_SUCH:
        return "not there"


def _paths(told: Told) -> list[str]:
    return [one["path"] for one in told.summary.space]


def _trials(tuning: Any) -> Any:
    return tuning.get("trials") if isinstance(tuning, dict) else None
