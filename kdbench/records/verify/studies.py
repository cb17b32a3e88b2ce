"""The summaries of studies beside records, each looked at by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from kdbench.errors import RecordError
from kdbench.records.sources import Item
from kdbench.records.studies import PARETO, problem
from kdbench.records.study_summary import FOLDER, StudySummary
from kdbench.records.verify.problem import Problem
from kdbench.suite.plan import RunSpec
from kdbench.tuning.study import Study

# What a spec raises that is none, or has no place for a parameter; pydantic's are ValueErrors.
NONE_SUCH = (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Told:
    """A study's summary, and its file."""

    name: str  # in its place
    where: str  # as shown
    summary: StudySummary
    fine: bool
    tunes: str  # the cell id of the runs that follow from it; none where it has no best trial, or is not fine


Studies = dict[str, list[Told]]  # by folder of records


def studies_beside(items: Iterable[Item], problems: list[Problem]) -> Studies:
    """The summaries in the folders of some records. What is wrong with them is added to the problems known already."""
    found: Studies = {}
    known = {one.path for one in problems}  # altered in a bundle
    for item in {item.folder: item for item in items}.values():
        found[item.folder] = []
        for name in item.place.beside(item.name, FOLDER, ".json"):
            if name.endswith(PARETO):
                continue
            where = item.place.shown(name)
            try:
                summary = StudySummary.model_validate_json(item.read(name) or b"")
            except (ValidationError, RecordError) as error:
                told = "; ".join(line.strip() for line in str(error).splitlines()[:3])
                problems.append(Problem(where, "not a study's summary", told, "as `kdbench sweep` writes it"))
                continue
            tunes, wrong = _looked_at(summary, where)
            problems += wrong
            fine = not wrong and where not in known
            found[item.folder].append(Told(name, where, summary, fine, tunes if fine else ""))
    return found


def _looked_at(summary: StudySummary, where: str) -> tuple[str, list[Problem]]:
    """The cell id of the runs that follow, and what is wrong."""
    if told := problem(summary):
        return "", [Problem(where, "a study that contradicts itself", told, "what follows from its trials")]
    study = Study(summary.spec, summary.space, summary.settings, summary.version)
    try:
        how = study.how
        expected: dict[str, Any] = {
            "digest": study.digest,
            "study": study.name,
            "suite": RunSpec(**study.spec).suite,
            "label": study.label,
            "goals": how.goals,
            "directions": how.directions,
        }
        best = summary.best_trial
        tunes = replace(study.run(best.params), tuning=how.budget).cell_id if best else ""
    except NONE_SUCH as error:
        told = f"{type(error).__name__}: {error}"
        return "", [Problem(where, "no study, by its spec, space and settings", told, "as `kdbench sweep` writes it")]
    wrong = [
        Problem(where, f"{name} does not follow from its spec, space and settings", str(getattr(summary, name)), str(value))
        for name, value in expected.items()
        if getattr(summary, name) != value
    ]
    called = PurePosixPath(where).name
    if called != f"{summary.study}.json":
        wrong.append(Problem(where, "a file name other than its study's", called, f"{summary.study}.json"))
    if len(summary.trials) != how.trials:
        wrong.append(Problem(where, "trials", f"{len(summary.trials)}", f"{how.trials}, by its settings"))
    return tunes, wrong
