"""What teachers are worth: plain values, and the words and tables made of them. `attribute.py` computes them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kdbench.contracts import Metric
from kdbench.errors import counted
from kdbench.statistics.crossed import LEVEL, Estimate
from kdbench.suite.sub_teams import named

LEAVE_ONE_OUT, ALONE = "leave-one-out", "alone"
SHOWN = 16  # sub-teams that a terminal still shows, one a line


@dataclass(frozen=True)
class Worth:
    """Of one teacher, by kind, in shown units; `corrected` are the p-values after Holm's correction over the teachers."""

    teacher: str
    estimates: dict[str, Estimate]
    corrected: dict[str, float]


@dataclass(frozen=True)
class TeamAttribution:
    """`worths` are in the order of `teachers`, each of the kinds leave-one-out, `method` and alone.

    `total` is v(all) − v(none), `teams` holds the means of sub-teams over `seeds`, in shown units.
    """

    metric: Metric
    method: str  # `Attribution.label`
    teachers: tuple[str, ...]
    seeds: tuple[int, ...]
    worths: tuple[Worth, ...]
    total: Estimate
    teams: dict[tuple[str, ...], float]
    notes: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, str, str]:
        """In the order of the table."""
        return LEAVE_ONE_OUT, self.method, ALONE

    @property
    def verdict(self) -> str:
        """One sentence, on what the team would lose without each teacher."""
        ordered = sorted(self.worths, key=lambda one: self.metric.gain(0, one.estimates[LEAVE_ONE_OUT].mean))
        caution = f"; {self.total.note}" if self.total.note else ""
        return f"In the team {' + '.join(self.teachers)}, {'; '.join(map(self._clause, ordered))}{caution}"

    def _clause(self, worth: Worth) -> str:
        one, p = worth.estimates[LEAVE_ONE_OUT], worth.corrected[LEAVE_ONE_OUT]
        known = f"({self._mean(one)}, 95 % interval {self._interval(one)}, corrected p {_p(p)})"
        if p >= LEVEL:
            return f"`{worth.teacher}` makes no significant difference {known}"
        effect = "improves" if self.metric.better(one.mean, 0) else "worsens"
        return f"`{worth.teacher}` {effect} {self.metric.label} by {abs(one.mean):{self._style}} {known}"

    def rows(self) -> list[list[str]]:
        """Teacher, kind, value, interval and p-value of each worth; teachers of the largest worth by the method first."""
        ordered = sorted(self.worths, key=lambda one: self.metric.gain(0, one.estimates[self.method].mean))
        rows = [
            [
                worth.teacher if kind == LEAVE_ONE_OUT else "",
                kind,
                self._mean(one),
                self._interval(one),
                _p(worth.corrected[kind]),
            ]
            for worth in ordered
            for kind, one in worth.estimates.items()
        ]
        return [*rows, ["the team", "all together", self._mean(self.total), self._interval(self.total), _p(self.total.p)]]

    def lines(self) -> list[str]:
        """For a terminal."""
        from tabulate import tabulate

        headers = ["teacher", "worth", self.metric.head, "95 % interval", "p, corrected"]
        worths = tabulate(self.rows(), headers, disable_numparse=True, colalign=["left", "left", "right", "right", "right"])
        lines = [self.verdict, "", *worths.splitlines()]
        if len(self.teams) <= SHOWN:
            teams = [[named(team), f"{mean:{self._style}}"] for team, mean in self.teams.items()]
            shown = tabulate(teams, ["team", self.metric.head], disable_numparse=True, colalign=["left", "right"])
            lines += ["", *shown.splitlines()]
        seeds = f"{counted(len(self.seeds), 'seed')} ({', '.join(map(str, self.seeds))})"
        told = f"{len(self.teams)} sub-teams over {seeds}; p-values corrected for {len(self.teachers)} teachers a kind of worth"
        return [*lines, "", f"note: {told}", *(f"note: {note}" for note in self.notes)]

    def plain(self) -> dict[str, Any]:
        """For JSON, in shown units."""
        return {
            "metric": self.metric.name,
            "method": self.method,
            "seeds": list(self.seeds),
            "comparisons": len(self.teachers),  # of each kind, which p_corrected is corrected for
            "verdict": self.verdict,
            "worths": [
                {"teacher": worth.teacher}
                | {kind: asdict(one) | {"p_corrected": worth.corrected[kind]} for kind, one in worth.estimates.items()}
                for worth in self.worths
            ],
            "total": asdict(self.total),
            "teams": [{"team": list(team), "mean": mean} for team, mean in self.teams.items()],
            "notes": list(self.notes),
        }

    @property
    def _style(self) -> str:
        return f".{self.metric.decimals + 1}f"

    def _mean(self, one: Estimate) -> str:
        return f"{one.mean:+{self._style}}"

    def _interval(self, one: Estimate) -> str:
        return f"{one.low:+{self._style}} to {one.high:+{self._style}}"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< .001"
