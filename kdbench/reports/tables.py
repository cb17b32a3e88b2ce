"""Groups runs into tables of rows that may be compared, and says why there are several."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from kdbench.records.record import Record
from kdbench.reports.board import Board, Measured, Row, Table
from kdbench.reports.costs import Shared, cost, shared
from kdbench.reports.verdict import BASELINE, is_baseline, verdict
from kdbench.statistics import Family, families
from kdbench.statistics.analysis import Standing


def build(
    runs: Iterable[Measured],
    unfinished: Iterable[Record] = (),
    concepts: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] | None = None,
    smoke: bool = False,
) -> Board:
    """Each run once, best RSUM first. Smoke runs are left out unless asked for.

    Rows join a table where dataset digest, protocol, student, sample budget and tuning budget agree. References, ranked without
    training, join every table of their dataset and protocol. `concepts`, by dataset digest, say which images and captions of
    a test split belong together; `unfinished` records become notes.
    """
    once = list({run.record.run_id: run for run in runs}.values())
    kept = [run for run in once if smoke or not run.record.spec.get("smoke")]
    found = families(kept, concepts)
    notes = [f"{record.label}: {record.status}: {record.reason}" for record in unfinished]
    notes += [refused for family in found for refused in family.analysis.refused]
    if trials := len(once) - len(kept):
        notes.append(f"{trials} rows of smoke runs left out: they show that things work, not how well")
    used = shared(kept)
    usable = [family for family in found if family.rows]
    alone = [family for family in usable if family.first.record.spec.get("role") == "reference"]
    trained = [family for family in usable if family not in alone]
    tables = [_table(family, [one for one in alone if _protocol(one) == _protocol(family)], used) for family in trained]
    ranked = {_protocol(family) for family in trained}
    lonely: dict[str, list[Family]] = {}
    for family in alone:
        if _protocol(family) not in ranked:
            lonely.setdefault(_protocol(family), []).append(family)
    tables += [_of_references(several, used) for several in lonely.values()]
    if len(trained) > 1:
        notes.append(_why([family.parts for family in trained]))
    return Board(tables, notes)


def _protocol(family: Family) -> str:
    run = family.first
    name = run.record.spec["dataset"]["name"]
    return json.dumps([name, run.record.dataset_digest, run.recall_at, run.record.spec.get("smoke", False)])


def _why(parts: Sequence[Mapping[str, str]]) -> str:
    """What tables differ in. Students may differ in more than their names."""
    told = []
    for what in parts[0]:
        values = sorted({part[what] for part in parts})
        if len(values) > 1 and what != "student initialisation":
            told.append(f"{what} ({'; '.join(values)})")
    names, students = ({part[what] for part in parts} for what in ("student", "student initialisation"))
    if len(students) > len(names):
        told.append("the student's initialisation or parameters, under one name")
    return f"{len(parts)} tables, for rows do not compare that differ in {', '.join(told)}"


def _table(family: Family, references: Sequence[Family], used: Shared) -> Table:
    first = family.first
    rows = [_row(runs, standing, used) for runs, standing in zip(family.rows, family.analysis.standings, strict=True)]
    return Table(
        dataset=first.record.spec["dataset"]["name"],
        digest=first.record.dataset_digest or "",
        sizes=first.record.sizes,
        recall_at=first.recall_at,
        student=family.parts["student"],
        budget=family.parts["sample budget"],
        tuning=family.parts["tuning budget"],
        rows=rows,
        references=_references(references, used),
        better=family.analysis.better,
        missing=_missing(rows),
        verdict=verdict(rows, family.analysis.better),
        notes=family.analysis.notes,
        smoke=bool(first.record.spec.get("smoke")),
    )


def _of_references(several: Sequence[Family], used: Shared) -> Table:
    """Teachers ranked as they are, with no student beside them."""
    first = several[0].first
    return Table(
        dataset=first.record.spec["dataset"]["name"],
        digest=first.record.dataset_digest or "",
        sizes=first.record.sizes,
        recall_at=first.recall_at,
        student="teachers as they are",
        budget=several[0].parts["sample budget"],
        tuning=several[0].parts["tuning budget"],
        rows=[],
        references=_references(several, used),
        better=several[0].analysis.better[:0, :0],
        missing=[],
        verdict="No student has been trained here yet: these are the teachers as they are.",
        notes=several[0].analysis.notes,
        smoke=bool(first.record.spec.get("smoke")),
    )


def _references(several: Sequence[Family], used: Shared) -> list[Row]:
    rows = [_row(family.rows[0], family.analysis.standings[0], used, ranked=False) for family in several]
    return sorted(rows, key=lambda row: -row.values["rsum"].mean)


def _row(runs: Sequence[Measured], standing: Standing, used: Shared, ranked: bool = True) -> Row:
    records = [run.record for run in runs]
    return Row(
        runs=tuple(runs),
        values=standing.values,
        first=standing.first if ranked else 0,
        last=standing.last if ranked else 0,
        group=standing.group if ranked else 0,
        bold=standing.bold and ranked,
        weights={name: statistics.fmean(record.weights[name] for record in records) for name in records[0].weights},
        reconstructions=tuple(sorted({label for record in records for label in record.reconstructions})),
        cost=cost(runs, used),
    )


def _missing(rows: Sequence[Row]) -> list[str]:
    """No distillation, each teacher alone (or the best one is not known), and equal weights of each team."""
    teams = list(dict.fromkeys(row.team for row in rows))
    alone = {team[0] for team in teams if len(team) == 1}
    found = [] if () in teams else ["no teacher"]
    found += [f"{name} alone" for name in dict.fromkeys(name for team in teams for name in team) if name not in alone]
    equal = {row.team for row in rows if is_baseline(row)}
    return [*found, *(f"{BASELINE} of {' + '.join(team)}" for team in teams if len(team) > 1 and team not in equal)]
