"""A race, round by round: after each look at the records, seeds go to the rows that are not yet decided.

What a race does follows from its records alone: stopped and started again, it makes the same decisions and repeats nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from kdbench.engines.suite_run import SuiteRun
from kdbench.errors import counted
from kdbench.statistics.families import families
from kdbench.suite.race import Race
from kdbench.suite.spec import RunSpec


@dataclass(frozen=True)
class Round:
    """Runs of the seeds `first` to `last` of all `rows` still running; `run` executes those of them without a record."""

    run: SuiteRun
    look: int  # the next one, from 1
    first: int
    last: int
    rows: int

    @property
    def cells(self) -> set[str]:
        """The ids of the rows."""
        return {spec.training.cell_id for spec in self.run.specs if not spec.reference}

    def __str__(self) -> str:
        seeds = f"seed {self.first}" if self.first == self.last else f"seeds {self.first} to {self.last}"
        return f"look {self.look}: {seeds} of {counted(self.rows, 'row')}"


def rounds(whole: SuiteRun) -> Iterator[Round]:
    """The rounds of a race; each is to be executed before the next one is asked for. Ends when all rows have stopped, or when
    the budget is spent: it may exceed `hours` by the seed that was begun.

    `whole` has all runs that there may be: `SuiteRun.of` with `race`.
    """
    race = whole.suite.race or Race()
    started, todo = time.monotonic(), {spec.run_id for spec in whole.todo}
    going: Collection[str] = {spec.training.cell_id: None for spec in whole.specs if not spec.reference}
    for look, (before, count) in enumerate(pairwise((0, *race.seeds_at_looks)), start=1):
        for seeds in _pieces(before, count, by_seed=race.runs is not None or race.hours is not None):
            part = [spec for spec in whole.specs if _of(spec, seeds, going)]
            pending = [spec for spec in part if spec.run_id in todo]
            if not going or _spent(race, whole, pending, time.monotonic() - started):
                return
            yield Round(replace(whole, specs=part, todo=pending), look, seeds[0], seeds[-1], len(going))
            going = _without_failed(going, part, whole)
        going = undecided(whole, going, count)
        if not going:
            return


def standing(whole: SuiteRun) -> Round | None:
    """The first round with runs to do, decided from the records; None if there is none. Nothing is executed."""
    return next((one for one in rounds(whole) if one.run.todo), None)


def _spent(race: Race, whole: SuiteRun, pending: list[RunSpec], seconds: float) -> bool:
    """Whether the budget does not allow these runs. Runs of references and further datasets do not count."""
    if not pending:
        return False
    trained = {spec.run_id for spec in whole.specs if not spec.reference and not spec.transfer}
    runs = len(trained & whole.session.records.keys()) + sum(spec.run_id in trained for spec in pending)
    return (race.runs is not None and runs > race.runs) or (race.hours is not None and seconds >= 3600 * race.hours)


def undecided(whole: SuiteRun, among: Collection[str], seeds: int) -> list[str]:
    """Cells that go on after the look at that many seeds; a row without any other to be compared with does not.

    Later seeds do not count, which a race that was stopped in the midst of a round has of some rows and not of others.
    """
    reading = whole.results().reading
    early = (run for run in reading.runs if run.seed < seeds and not run.record.spec.transfer)
    found = families(early, reading.units)
    still: list[str] = []
    for family in found:
        if not family.reference:
            cells = [family.rows[index][0].record.cell_id for index in family.analysis.looks.running]
            going = [cell for cell in cells if cell in among]
            still += going if len(going) > 1 else []
    return still


def _pieces(before: int, count: int, by_seed: bool) -> list[range]:
    """Seeds up to the next look, one by one if a budget may end the race between them: starting workers takes seconds."""
    return [range(seed, seed + 1) for seed in range(before, count)] if by_seed else [range(before, count)]


def _of(spec: RunSpec, seeds: range, going: Collection[str]) -> bool:
    """Whether a run is of a round. References, which have no seed, are of the first."""
    if spec.reference:
        return seeds.start == 0
    return spec.seed in seeds and spec.training.cell_id in going


def _without_failed(going: Collection[str], part: list[RunSpec], whole: SuiteRun) -> list[str]:
    """The cells all of whose seeds so far have figures. The others could never be tested; another `kdbench run` tries again."""
    records = whole.session.records
    failed = {
        spec.training.cell_id
        for spec in part
        if not spec.transfer and (spec.run_id not in records or records[spec.run_id].status != "ok")
    }
    return [cell for cell in going if cell not in failed]
