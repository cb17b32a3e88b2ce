"""What a suite's teachers are worth, from its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdbench.contracts import Attribution
from kdbench.errors import KdbenchError, RecordError
from kdbench.records.files import record_path, recorded
from kdbench.records.reading import read_measured
from kdbench.records.record import DONE, Record
from kdbench.reports.attribution.attribute import attribute
from kdbench.reports.attribution.worth import TeamAttribution
from kdbench.statistics.cells import Cell, cell_of, complete
from kdbench.statistics.splits import split_of
from kdbench.suite.spec import RunSpec
from kdbench.suite.sub_teams import Game, Teams, named

FEW = 6  # sub-teams that a line names


@dataclass(frozen=True)
class Finding:
    """What is known of a game: an attribution, or the reason why there is none; `missing` are its runs without an outcome."""

    game: Game
    attribution: TeamAttribution | None
    missing: tuple[RunSpec, ...]
    reason: str = ""
    notes: tuple[str, ...] = ()  # if there is no attribution to hold them


def findings(
    teams: Teams, known: Mapping[str, Record | None], results: Path, method: Attribution, metric: str = ""
) -> list[Finding]:
    """An attribution of every game, on the seeds that all its sub-teams have, of the task's headline by default.

    `known` are records by run id, as `records_of` returns them. Raises RecordError if a record or what lies beside it cannot
    be relied on: an attribution leaves nothing out silently.
    """
    reading = read_measured([_path(results, one) for one in known.values() if one])
    if reading.problems:
        raise RecordError(reading.problems[0].line)
    measured = {run.record.run_id: run for run in reading.runs}
    cells: dict[tuple[str, ...], Cell] = {}  # by run ids: strategies share the small teams

    def cell(runs: Sequence[Record]) -> Cell:
        key = tuple(one.run_id for one in runs)
        if key not in cells:
            found = complete([measured[run_id] for run_id in key])
            if not found:
                raise KdbenchError(f"{runs[0].spec.cell_label}: no seed has all its folds yet")
            cells[key] = cell_of(found, *split_of(found, reading.units))
        return cells[key]

    return [_finding(game, known, method, metric, cell) for game in teams.games]


def _path(results: Path, record: Record) -> Path:
    """Its file, whose name holds the id of the record's own format."""
    return record_path(results, record.spec.suite, record.run_id)


def records_of(specs: Sequence[RunSpec], results: Path) -> dict[str, Record | None]:
    """The records of runs, by run id; None for runs without one that can be read."""
    return {spec.run_id: recorded(results, spec) for spec in specs}


def to_do(specs: Sequence[RunSpec], known: Mapping[str, Record | None]) -> list[RunSpec]:
    """The runs that have no outcome yet; failed and skipped ones are tried again."""
    return [spec for spec in specs if not (record := known[spec.run_id]) or record.status not in DONE]


def _finding(
    game: Game,
    known: Mapping[str, Record | None],
    method: Attribution,
    metric: str,
    cell: Callable[[Sequence[Record]], Cell],
) -> Finding:
    everything = [spec for runs in game.runs.values() for spec in runs]
    missing = tuple(to_do(everything, known))
    records = {team: [one for spec in runs if (one := known[spec.run_id])] for team, runs in game.runs.items()}
    diverged = [one.spec.label for runs in records.values() for one in runs if one.status == "diverged"]
    notes = [f"diverged, so its seed is left out, which flatters its sub-team: {label}" for label in diverged]
    finished = {team: [one for one in runs if one.status == "ok"] for team, runs in records.items()}
    absent = [named(team) for team, runs in finished.items() if not runs]
    if absent:
        reason = f"{len(absent)} of {len(game.runs)} sub-teams have no finished run: {few(absent)}"
        return Finding(game, None, missing, reason, tuple(notes))
    try:
        cells = {team: cell(runs) for team, runs in finished.items()}
        note = next(iter(cells.values())).contributions.note
        said = [*notes, *([note] if note else [])]
        return Finding(game, attribute(cells, method, metric, game.teachers, said), missing)
    except RecordError:
        raise
    except KdbenchError as error:
        return Finding(game, None, missing, str(error), tuple(notes))


def few(teams: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    rest = len(teams) - FEW
    return "; ".join(teams[:FEW]) + (f"; {rest} more" if rest > 0 else "")
