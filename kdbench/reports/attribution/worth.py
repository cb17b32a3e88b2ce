"""What teachers are worth, as figures, and as words and tables of them. `attribution.py` finds them and says what they mean."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from kdbench.statistics.crossed import LEVEL, ONE_SEED, Estimate

Kind = Literal["leave-one-out", "Shapley", "alone"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SHOWN = 16  # teams that a terminal still shows, one a line


@dataclass(frozen=True)
class Worth:
    """Of one teacher, by kind, in percent; `corrected` are the p-values after Holm's correction over the teachers."""

    teacher: str
    estimates: dict[Kind, Estimate]
    corrected: dict[Kind, float]


@dataclass(frozen=True)
class Attribution:
    """`worths` are in the order of `teachers`; `total` is v(N) − v(∅); `teams` have their means over `seeds`, in percent."""

    metric: str
    teachers: tuple[str, ...]
    seeds: tuple[int, ...]
    worths: tuple[Worth, ...]
    total: Estimate
    teams: dict[tuple[str, ...], float]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One sentence, on what the team would lose with each."""
        clauses = [self._clause(worth) for worth in sorted(self.worths, key=lambda one: -one.estimates["leave-one-out"].mean)]
        caution = f"; {ONE_SEED}" if len(self.seeds) == 1 else ""
        return f"To the team {' + '.join(self.teachers)}, {'; '.join(clauses)}{caution}"

    def _clause(self, worth: Worth) -> str:
        one, p = worth.estimates["leave-one-out"], worth.corrected["leave-one-out"]
        known = f"({_mean(one)}, 95 % interval {_interval(one)}, corrected p {_p(p)})"
        if p >= LEVEL:
            return f"`{worth.teacher}` adds nothing that can be told from chance {known}"
        if one.mean > 0:
            return f"`{worth.teacher}` adds {one.mean:.2f} {_shown(self.metric)} {known}"
        return f"`{worth.teacher}` does harm, without it the team has {-one.mean:.2f} {_shown(self.metric)} more {known}"

    def rows(self) -> list[list[str]]:
        """Teacher, kind, figure, interval and p-value of each worth, teachers with the largest Shapley value first."""
        ordered = sorted(self.worths, key=lambda one: -one.estimates["Shapley"].mean)
        rows = [
            [worth.teacher if kind == KINDS[0] else "", kind, _mean(one), _interval(one), _p(worth.corrected[kind])]
            for worth in ordered
            for kind, one in worth.estimates.items()
        ]
        return [*rows, ["the team", "all together", _mean(self.total), _interval(self.total), _p(self.total.p)]]

    def lines(self) -> list[str]:
        """For a terminal."""
        from tabulate import tabulate

        headers = ["teacher", "worth", _shown(self.metric), "95 % interval", "p, corrected"]
        worths = tabulate(self.rows(), headers, disable_numparse=True, colalign=["left", "left", "right", "right", "right"])
        lines = [self.verdict, "", *worths.splitlines()]
        if len(self.teams) <= SHOWN:
            teams = [[" + ".join(team) or "no teacher", f"{mean:.2f}"] for team, mean in self.teams.items()]
            shown = tabulate(teams, ["team", _shown(self.metric)], disable_numparse=True, colalign=["left", "right"])
            lines += ["", *shown.splitlines()]
        seeds = f"{len(self.seeds)} seed{'s' if len(self.seeds) > 1 else ''} ({', '.join(map(str, self.seeds))})"
        told = f"{len(self.teams)} teams over {seeds}; p-values corrected for {len(self.teachers)} teachers a kind of worth"
        return [*lines, "", f"note: {told}", *(f"note: {note}" for note in self.notes)]

    def plain(self) -> dict[str, Any]:
        """For JSON. Figures are in percent."""
        return {
            "metric": self.metric,
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


def _shown(metric: str) -> str:
    return "RSUM" if metric == "rsum" else metric


def _mean(one: Estimate) -> str:
    return f"{one.mean:+.2f}"


def _interval(one: Estimate) -> str:
    return f"{one.low:+.2f} to {one.high:+.2f}"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< .001"
