"""What a suite's teachers are worth, from the runs that are recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdbench.errors import KdbenchError, RecordError
from kdbench.records.reading import read_measured
from kdbench.records.record import DONE, Record, record_path, recorded
from kdbench.reports.attribution.shapley import attribute, named
from kdbench.reports.attribution.sub_teams import Game, Teams
from kdbench.reports.attribution.worth import Attribution
from kdbench.statistics.cells import Cell, cell_of
from kdbench.statistics.units import units_of
from kdbench.suite.plan import RunSpec

FEW = 6  # teams that a line names


@dataclass(frozen=True)
class Finding:
    """What is known of a game: an attribution, or why there is none; `missing` are its runs that are still to be done."""

    game: Game
    attribution: Attribution | None
    missing: tuple[RunSpec, ...]
    reason: str = ""
    notes: tuple[str, ...] = ()  # where there is no attribution to hold them


def findings(teams: Teams, known: Mapping[str, Record | None], results: Path, metric: str = "rsum") -> list[Finding]:
    """An attribution of every game, on the seeds that all its teams have; `known` are records by run id, as `records_of` has.

    Raises RecordError where a record, its ranks or concepts cannot be relied on: an attribution leaves nothing out in silence.
    """
    reading = read_measured([record_path(results, one.spec["suite"], one.run_id) for one in known.values() if one])
    if reading.problems:
        raise RecordError(reading.problems[0].line)
    measured = {run.record.run_id: run for run in reading.runs}
    cells: dict[tuple[str, ...], Cell] = {}  # by run ids: strategies share the small teams

    def cell(runs: Sequence[Record]) -> Cell:
        key = tuple(one.run_id for one in runs)
        if key not in cells:
            first = runs[0]
            units = units_of(first.sizes, reading.concepts.get(first.dataset_digest or ""))
            cells[key] = cell_of([measured[run_id] for run_id in key], units)
        return cells[key]

    return [_finding(game, known, metric, cell) for game in teams.games]


def records_of(specs: Sequence[RunSpec], results: Path) -> dict[str, Record | None]:
    """The records of runs, by run id; None where there is none that can be read."""
    return {spec.run_id: recorded(results, spec.suite, spec.run_id) for spec in specs}


def to_do(specs: Sequence[RunSpec], known: Mapping[str, Record | None]) -> list[RunSpec]:
    """The runs that have no outcome yet; what failed or was skipped is tried again."""
    return [spec for spec in specs if not (record := known[spec.run_id]) or record.status not in DONE]


def _finding(game: Game, known: Mapping[str, Record | None], metric: str, cell: Callable[[Sequence[Record]], Cell]) -> Finding:
    everything = [spec for runs in game.runs.values() for spec in runs]
    missing = tuple(to_do(everything, known))
    records = {team: [one for spec in runs if (one := known[spec.run_id])] for team, runs in game.runs.items()}
    diverged = [one.label for runs in records.values() for one in runs if one.status == "diverged"]
    notes = [f"diverged, so that its seed is left out, which flatters its team: {label}" for label in diverged]
    finished = {team: [one for one in runs if one.status == "ok"] for team, runs in records.items()}
    absent = [named(team) for team, runs in finished.items() if not runs]
    if absent:
        reason = f"{len(absent)} of {len(game.runs)} teams have no finished run: {few(absent)}"
        return Finding(game, None, missing, reason, tuple(notes))
    try:
        cells = {team: cell(runs) for team, runs in finished.items()}
        note = next(iter(cells.values())).units.note
        said = [*notes, *([note] if note else [])]
        return Finding(game, attribute(cells, metric, game.teachers, said), missing)
    except RecordError:
        raise
    except KdbenchError as error:
        return Finding(game, None, missing, str(error), tuple(notes))


def few(teams: Sequence[str]) -> str:
    """Some of them, and how many more there are."""
    rest = len(teams) - FEW
    return "; ".join(teams[:FEW]) + (f"; {rest} more" if rest > 0 else "")
