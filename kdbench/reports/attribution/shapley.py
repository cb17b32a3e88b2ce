"""What each teacher is worth to its team: leave-one-out, Shapley value, and its worth alone, with intervals.

v(S) is the metric of the student that the team S taught, v(∅) of the one that nobody taught. A worth is a weighted mean of what
the teacher adds to teams without it, v(S ∪ {t}) − v(S): to all others together (leave-one-out), to nobody (alone), or to every
team, each size counting alike and within a size each team (Shapley, A value for n-person games, 1953). Shapley values sum to
v(N) − v(∅). A worth is thus linear in the teams' figures for each seed and test unit, and its interval is that of this
combination, paired by seed and by unit: what seeds and units do to all teams alike cancels.

What the intervals leave out: they are of teams under one strategy with one setting of its parameters, tuned for no team; teams
of one have no strategy, so that what a second teacher adds holds what the strategy itself does. Each interval is of one worth
alone. The p-values of a kind are Holm-corrected over the teachers, not over kinds, nor over attributions made side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from kdbench.errors import KdbenchError, nearest
from kdbench.reports.attribution.worth import KINDS, Attribution, Kind, Worth
from kdbench.statistics.cells import Cell, Row
from kdbench.statistics.crossed import LEVEL, ONE_SEED, Estimate, estimate
from kdbench.statistics.pairs import holm

Floats = NDArray[np.float64]
Team = frozenset[str]

# Of what a teacher adds to one team of `size` others, where there are `count` teachers in all.
WEIGHTS: dict[Kind, Callable[[int, int], Fraction]] = {
    "leave-one-out": lambda size, count: Fraction(size == count - 1),
    "Shapley": lambda size, count: Fraction(factorial(size) * factorial(count - size - 1), factorial(count)),
    "alone": lambda size, count: Fraction(size == 0),  # noqa: ARG005
}


def attribute(
    cells: Mapping[Team, Cell], metric: str = "rsum", teachers: Sequence[str] = (), notes: Sequence[str] = ()
) -> Attribution:
    """From the cells of all 2^T teams, the empty one too, of one student, test split, protocol and budget.

    `teachers` gives their order. Raises KdbenchError where a team is missing, the teams share no seed or are not of one test
    split, or there is no such metric.
    """
    known = set.intersection(*(set(cell.contributions) for cell in cells.values())) if cells else {metric}
    if metric not in known:
        raise KdbenchError(f"no metric {metric!r}; {nearest(metric, known)}")
    return attribute_rows({team: cell.row(metric) for team, cell in cells.items()}, metric, teachers, notes)


def attribute_rows(
    rows: Mapping[Team, Row], metric: str = "rsum", teachers: Sequence[str] = (), notes: Sequence[str] = ()
) -> Attribution:
    """The same from the rows of one metric."""
    everyone = tuple(teachers or sorted(set().union(*rows)))
    teams = teams_of(everyone)
    _check(rows, teams)
    seeds = tuple(sorted(set.intersection(*(set(rows[team].seeds) for team in teams))))
    if not seeds:
        have = "; ".join(f"{named(team)}: {_list(rows[team].seeds)}" for team in teams)
        raise KdbenchError(f"the teams share no seed, so that nothing is paired ({have})")
    shown = {team: rows[team].values[[rows[team].seeds.index(seed) for seed in seeds]] for team in teams}
    if len({values.shape for values in shown.values()}) > 1:
        raise KdbenchError("the teams were ranked on test splits of different sizes: they do not compare")
    estimates: list[dict[Kind, Estimate]] = [
        {kind: estimate(_worth(shown, everyone, teacher, kind)) for kind in KINDS} for teacher in everyone
    ]
    corrected = {kind: holm(np.array([one[kind].p for one in estimates])) for kind in KINDS}
    lost = sorted({seed for team in teams for seed in rows[team].seeds} - set(seeds))
    untold = [teacher for teacher, p in zip(everyone, corrected["leave-one-out"], strict=True) if p >= LEVEL]
    said = list(notes)
    if lost:
        said.append(f"left out, as not every team has them: seeds {_list(lost)}")
    if len(seeds) == 1:
        said.append(ONE_SEED)
    if len(untold) > 1:
        said.append(f"leave-one-out spares one teacher at a time: it does not say that {' and '.join(untold)} can all go")
    return Attribution(
        metric=metric,
        teachers=everyone,
        seeds=seeds,
        worths=tuple(
            Worth(teacher, estimates[i], {kind: float(corrected[kind][i]) for kind in KINDS})
            for i, teacher in enumerate(everyone)
        ),
        total=estimate(shown[teams[-1]] - shown[teams[0]]),
        teams={tuple(name for name in everyone if name in team): float(shown[team].mean()) for team in teams},
        notes=tuple(said),
    )


def teams_of(teachers: Sequence[str]) -> list[Team]:
    """All 2^T teams, small ones first: none, each teacher, …, all."""
    return [frozenset(team) for size in range(len(teachers) + 1) for team in combinations(teachers, size)]


def _check(rows: Mapping[Team, Row], teams: list[Team]) -> None:
    if len(teams) == 1:
        raise KdbenchError("no team has a teacher: there is nothing to attribute")
    if strangers := sorted(set().union(*rows) - teams[-1]):
        raise KdbenchError(f"teams with {', '.join(strangers)}, who is none of the teachers {', '.join(sorted(teams[-1]))}")
    if missing := [named(team) for team in teams if team not in rows]:
        raise KdbenchError(f"{len(missing)} of {len(teams)} teams are missing: {'; '.join(missing)}")


def _worth(shown: Mapping[Team, Floats], teachers: Sequence[str], teacher: str, kind: Kind) -> Floats:
    """[S, U]: for each seed and unit the weighted mean of what the teacher adds to a team, summed team by team.

    One that never changes anything has 0 exactly, not the rounding errors of sums that ought to cancel.
    """
    total = np.zeros_like(shown[frozenset()])
    for team in teams_of([other for other in teachers if other != teacher]):
        weight = WEIGHTS[kind](len(team), len(teachers))
        if weight:
            total += float(weight) * (shown[team | {teacher}] - shown[team])
    return total


def named(team: Iterable[str]) -> str:
    """For a person."""
    return " + ".join(sorted(team)) or "no teacher"


def _list(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, seeds))
