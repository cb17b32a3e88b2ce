"""Groups runs into tables of rows that may be compared, and says why there are several."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from kdbench.errors import counted
from kdbench.records.measured import Measured
from kdbench.records.protocol import Protocol
from kdbench.records.record import Record, Status
from kdbench.reports.board import Board, Row, Table
from kdbench.reports.costs import Uses, cost, uses_of
from kdbench.reports.differences import differences, note, variants
from kdbench.reports.regimes.gains import regimes
from kdbench.reports.verdict import BASELINE, NO_STUDENT, is_baseline, untested, verdict
from kdbench.statistics import Family, RankedRow, families
from kdbench.statistics.splits import UnitsByDigest, total_sizes
from kdbench.suite.spec import RunSpec


def build(
    runs: Iterable[Measured],
    unfinished: Iterable[Record] = (),
    units: UnitsByDigest | None = None,
    smoke: bool = False,
) -> Board:
    """A table for each protocol, best headline first; each run counts once. Smoke runs are left out unless asked for.

    References join every table with the same `Protocol.evaluation`. `units`, by dataset digest, say which test unit each query
    belongs to (see `Task.units`); `unfinished` records become notes.
    """
    once = list({run.record.run_id: run for run in runs}.values())
    kept = [run for run in once if smoke or not run.record.spec.smoke]
    found = families(kept, units)
    without_figures = list(unfinished)
    notes = _without_figures(without_figures)
    notes += [refused for family in found for refused in family.analysis.refused]
    if left_out := len(once) - len(kept):
        notes.append(f"{counted(left_out, 'smoke run')} left out: they show that things work, not how well")
    used = uses_of(kept)
    references: dict[str, list[Family]] = defaultdict(list)  # by evaluation
    for family in found:
        if family.rows and family.reference:
            references[family.protocol.evaluation].append(family)
    trained = [family for family in found if family.rows and not family.reference]
    lacking = {record.spec.cell_id: record.status for record in without_figures}
    tables = [_table(family, references[family.protocol.evaluation], used, lacking) for family in trained]
    ranked = {family.protocol.evaluation for family in trained}
    tables += [_of_references(several, used) for key, several in references.items() if several and key not in ranked]
    if len(trained) > 1:
        notes.append(_why([family.protocol for family in trained]))
    return Board(tables, notes, regimes(tables, units or {}))


def _without_figures(records: Sequence[Record]) -> list[str]:
    """Why runs have no figures: one line for all runs of a cell that ended for the same reason."""
    found: dict[tuple[str, str, str, str], list[RunSpec]] = defaultdict(list)
    for record in records:
        found[record.spec.cell_label, record.cell_id, record.status, record.reason].append(record.spec)
    told = []
    for (label, _, status, reason), specs in sorted(found.items()):
        seeds = ", ".join(sorted(spec.which for spec in specs))
        told.append(f"{specs[0].label if len(specs) == 1 else f'{label} · seeds {seeds}'}: {status}: {reason}")
    return told


def _why(protocols: Sequence[Protocol]) -> str:
    """What tables differ in. Students may differ in more than their names."""
    parts = [protocol.parts for protocol in protocols]
    differing = []
    for what in {what: None for part in parts for what in part}:
        values = sorted({part.get(what, "none") for part in parts})
        if len(values) > 1 and what != "student initialisation":
            differing.append(f"{what} ({'; '.join(values)})")
    names, students = ({part[what] for part in parts} for what in ("student", "student initialisation"))
    if len(students) > len(names):
        differing.append("the student's initialisation or parameters, under one name")
    return f"{len(protocols)} tables: rows do not compare if they differ in {', '.join(differing) or 'how they were run'}"


def _table(family: Family, references: Sequence[Family], used: Uses, lacking: Mapping[str, Status]) -> Table:
    """`lacking` has the status of a run without figures, by the id of its cell."""
    first, better = family.first, family.analysis.better
    race = family.protocol.raced
    rows = _told_apart([_row(runs, ranked, used) for runs, ranked in zip(family.rows, family.analysis.ranked, strict=True)])
    looks = family.analysis.looks.without({place: lacking[row.id] for place, row in enumerate(rows) if row.id in lacking})
    ended = (looks.seeds[-1], looks.lacking) if race and looks.ended else (None, ())
    found = verdict(rows, better, looks.alike, family.analysis.margin, family.analysis.more_seeds, *ended)
    if race:
        rows = [replace(row, stop=stop) for row, stop in zip(rows, looks.stops, strict=True)]
        if not looks.seeds:
            rows = [replace(row, first=0, last=0, group=0) for row in rows]
            found = untested(race.seeds_at_looks[0])
    known = _references(references, used)
    raced = f"raced, with {race}: {looks}" if race else ""
    settings = [note([row.settings for row in rows]), variants([row.spec for row in rows])]
    notes = [*family.analysis.notes, raced, *settings, _labels([*known, *rows])]
    return Table(
        protocol=family.protocol,
        metrics=tuple(first.task.metrics),
        sizes=total_sizes(run for row in family.rows for run in row),
        rows=rows,
        references=known,
        better=better,
        missing=_missing(rows, bool(family.protocol.regime)),
        verdict=found,
        looks=looks,
        notes=[text for text in notes if text],
    )


def _labels(rows: Sequence[Row]) -> str:
    """States that the dataset has several labels; empty if it has one."""
    labels = sorted({run.record.spec.dataset.name for row in rows for run in row.runs})
    return f"{' and '.join(labels)} are one dataset: equal pictures, captions and concepts" if len(labels) > 1 else ""


def _of_references(several: Sequence[Family], used: Uses) -> Table:
    """Teachers themselves, without any student beside them."""
    family = several[0]
    return Table(
        protocol=family.protocol,
        metrics=tuple(family.first.task.metrics),
        sizes=total_sizes(run for row in family.rows for run in row),
        rows=[],
        references=_references(several, used),
        better=family.analysis.better[:0, :0],
        verdict=NO_STUDENT,
        notes=family.analysis.notes,
    )


def _references(several: Sequence[Family], used: Uses) -> list[Row]:
    rows = [_row(family.rows[0], family.analysis.ranked[0], used, contends=False) for family in several]
    rows.sort(key=lambda row: -row.value.mean if row.headline.higher_is_better else row.value.mean)
    return _told_apart(rows)


def _told_apart(rows: list[Row]) -> list[Row]:
    """The rows with the settings that they differ in."""
    found = differences([row.spec for row in rows], [row.label for row in rows])
    return [replace(row, settings=settings) for row, settings in zip(rows, found, strict=True)]


def _row(runs: Sequence[Measured], ranked: RankedRow, used: Uses, contends: bool = True) -> Row:
    records = [run.record for run in runs]
    return Row(
        runs=tuple(runs),
        values=ranked.values,
        first=ranked.first if contends else 0,
        last=ranked.last if contends else 0,
        group=ranked.group if contends else 0,
        bold=ranked.bold and contends,
        weights={name: statistics.fmean(record.weights[name] for record in records) for name in records[0].weights},
        reconstructions=tuple(sorted({label for record in records for label in record.reconstructions})),
        cost=cost(runs, used),
        folds=ranked.folds,
    )


def _missing(rows: Sequence[Row], regime: bool) -> list[str]:
    """No distillation, each teacher alone (or the best one is unknown), and equal weights of each team.

    A regime names its teachers' quality, so that its suite knows the best one: any single teacher will do.
    """
    teams = list(dict.fromkeys(row.team for row in rows))
    alone = {team[0] for team in teams if len(team) == 1}
    found = [] if () in teams else ["no distillation"]
    if not (regime and alone):
        found += [f"{name} alone" for name in dict.fromkeys(name for team in teams for name in team) if name not in alone]
    equal = {row.team for row in rows if is_baseline(row)}
    return [*found, *(f"{BASELINE} of {' + '.join(team)}" for team in teams if len(team) > 1 and team not in equal)]
