"""Checks that the parameters of tuned runs are those that their studies found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from kdbench.records.problem import Problem
from kdbench.records.record import Record
from kdbench.records.sources import RecordFile
from kdbench.records.study_summary import FOLDER
from kdbench.records.verify.across_records import Pair
from kdbench.records.verify.study_summaries import NO_FIT, StudyFile, StudyFiles
from kdbench.suite.paths import same_but_for, value_at
from kdbench.suite.spec import RunSpec, Tuning

MISSING = (
    "the file that `kdbench sweep` wrote there: copy it, or sweep again (where the suite has nothing to tune of the run, give "
    "its untuned run too)"
)


def study_of(record: Record, studies: Iterable[StudyFile]) -> StudyFile | None:
    """The study that found a tuned record's parameters: its best parameters give the record's cell id."""
    if not record.spec.tuning:
        return None
    return next((study for study in studies if study.tunes == record.spec.training.cell_id), None)


def unexplained(pairs: list[Pair], studies: StudyFiles) -> Iterator[tuple[RecordFile, Problem]]:
    """Yields tuned records without a summary beside them that explains their parameters.

    A cell with nothing to tune has no study; its tuned run then equals the untuned one, which must be among the records.
    """
    runs = {record.spec.run_id for _, record in pairs}
    known: dict[tuple[str, str], list[StudyFile]] = {}  # once for all seeds of a cell
    for file, record in pairs:
        beside = studies.get(file.folder, [])
        if not record.spec.tuning or study_of(record, beside):
            continue
        key = file.folder, record.spec.cell_id
        if key not in known:
            known[key] = [study for study in beside if _of_cell(record.spec, study)]
        if same := known[key]:
            yield file, _differing(file, record.spec, record.spec.tuning, same)
        elif record.spec.replace(tuning=None).run_id not in runs:
            found = f"none of its cell in {PurePosixPath(file.folder) / FOLDER}"
            yield file, Problem(file.where, "tuned, without its study's summary", found, MISSING)


def _differing(file: RecordFile, spec: RunSpec, tuning: Tuning, same: list[StudyFile]) -> Problem:
    """Why the summaries of the record's cell do not explain it."""
    # One cell may have been tuned with several budgets.
    study = min(same, key=lambda study: (study.summary.settings.trials != tuning.trials, not study.fine))
    if not study.fine:
        return Problem(file.where, "tuned by a study whose summary has problems", study.where, "one without a problem")
    budget, best = study.summary.settings.budget, study.summary.best_trial
    if tuning != budget:
        found, expected = json.dumps(tuning.model_dump()), f"{json.dumps(budget.model_dump())}, by {study.where}"
        return Problem(file.where, "tuned with another budget than its study", found, expected)
    if best is None:
        return Problem(file.where, "tuned by a study without a result", "no best trial", f"one in {study.where}")
    by_study = study.summary.as_study.run(best.params)
    values = [(path, repr(value_at(spec, path)), repr(value_at(by_study, path))) for path in _paths(study)]
    found = ", ".join(f"{path} {value}" for path, value, other in values if value != other)
    expected = ", ".join(f"{path} {other}" for path, value, other in values if value != other)
    what = "parameters other than those of its study's best trial"
    return Problem(file.where, what, found, f"{expected}, of trial {best.number} in {study.where}")


def _of_cell(spec: RunSpec, study: StudyFile) -> bool:
    """Whether two runs differ only in the study's parameters, budget and seed."""
    try:
        return same_but_for(spec.training, study.summary.spec, _paths(study))
    except NO_FIT:
        return False


def _paths(study: StudyFile) -> list[str]:
    return [parameter.path for parameter in study.summary.space]
