"""The plan of a race: what each look may take, the budget, and where the race stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from kdbench.engines.rounds import Round, standing
from kdbench.engines.suite_run import SuiteRun
from kdbench.errors import counted
from kdbench.suite.race import Race
from kdbench.suite.spec import RunSpec


@dataclass(frozen=True)
class Planned:
    """A race as planned. `now` is the round with runs to do, None if every row has stopped; `spent` says that the budget of
    runs does not allow it."""

    whole: SuiteRun
    now: Round | None
    spent: bool

    @classmethod
    def of(cls, whole: SuiteRun) -> Planned:
        """Decides from the records as the race would."""
        race = whole.suite.race or Race()
        suite = whole.suite.model_copy(update={"race": race.model_copy(update={"runs": None, "hours": None})})
        now = standing(replace(whole, suite=suite))
        return cls(whole, now, now is not None and race.runs is not None and standing(whole) is None)

    @property
    def until_next_look(self) -> list[RunSpec]:
        """The recorded runs, and those that rows still running need for the next look."""
        look = (self.whole.suite.race or Race()).seeds_at_looks[self.now.look - 1] if self.now else 0
        known = self.whole.session.records
        return [spec for spec in self.whole.specs if spec.run_id in known or (spec.seed < look and self.goes_on(spec))]

    def goes_on(self, spec: RunSpec) -> bool:
        """Whether a run is of a row that may get further seeds."""
        return spec.reference or (self.now is not None and spec.training.cell_id in self.now.cells)

    def lines(self) -> Iterator[str]:
        """For a terminal: the table of looks, the budget, what is next."""
        from tabulate import tabulate

        race = self.whole.suite.race or Race()
        heads = ["look", "seeds of a row", "runs", "runs so far", "recorded"]
        yield "If nothing is decided at any look:"
        yield ""
        yield from tabulate(list(self._looks(race)), heads, colalign=["right"] * len(heads), disable_numparse=True).splitlines()
        told = [f"at most {counted(race.runs, 'run')} (race.runs)"] if race.runs else []
        told += [f"no seed is begun after {race.hours:g} h of a command (race.hours)"] if race.hours else []
        yield ""
        yield f"Budget: {'; '.join(told) or 'none; race.runs=COUNT or race.hours=HOURS sets one'}."
        if self.now is None:
            yield "The race has ended: every row has stopped."
        elif self.spent:
            yield f"The budget of runs is spent before {self.now}."
        else:
            yield f"Next is {self.now}."

    def _looks(self, race: Race) -> Iterator[list[str]]:
        so_far = 0
        for look, (before, count) in enumerate(pairwise((0, *race.seeds_at_looks)), start=1):
            part = [spec for spec in self.whole.specs if (before == 0 if spec.reference else before <= spec.seed < count)]
            so_far += len(part)
            done = sum(spec.run_id in self.whole.session.records for spec in part)
            yield [f"{look}", f"{count}", f"{len(part):,}", f"{so_far:,}", f"{done:,}"]
