"""What each teacher is worth to its team, with intervals: leave-one-out, by a method such as Shapley's, and alone.

v(S) is the metric of the student taught by the sub-team S, v(∅) that of no distillation. Leave-one-out is what the teacher adds
to all the others, alone is what it adds to nobody, and a method (`kdbench.contracts.attribution`) weighs what it adds to every
sub-team. A worth is thus linear in the sub-teams' contributions of each seed and test unit, and its interval is that of this
combination, paired by seed and by unit: effects of seeds and units that all sub-teams share cancel.

What the intervals leave out: they are for one strategy with one setting of its parameters, tuned for no sub-team; teams of one
have no strategy, so what a second teacher adds includes the effect of the strategy itself. Each interval is of one worth alone.
The p-values of a kind are Holm-corrected over the teachers, not over kinds, nor over attributions made side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from kdbench.contracts import Attribution, Metric
from kdbench.errors import KdbenchError, nearest
from kdbench.reports.attribution.worth import ALONE, LEAVE_ONE_OUT, TeamAttribution, Worth
from kdbench.statistics.cells import Cell, Floats, Scores
from kdbench.statistics.crossed import LEVEL, ONE_SEED, Estimate
from kdbench.statistics.folds import ONE_SEED as ONE_SEED_IN_FOLDS
from kdbench.statistics.pair_tests import holm
from kdbench.suite.sub_teams import Team, named, teams_of


def attribute(
    cells: Mapping[Team, Cell], method: Attribution, metric: str = "", teachers: Sequence[str] = (), notes: Sequence[str] = ()
) -> TeamAttribution:
    """From the cells of all 2^T sub-teams, the empty one too, of one student, test split, protocol and budget.

    `metric` is the task's headline by default; `teachers` gives their order. Raises KdbenchError if a sub-team is missing, the
    sub-teams share no seed or were evaluated on different splits, or there is no such metric.
    """
    task = next(iter(cells.values())).runs[0].task
    metrics = {one.name: one for one in task.metrics}
    wanted = metric or task.headline.name
    known = set.intersection(*(set(cell.contributions.values) for cell in cells.values()))
    if wanted not in known:
        raise KdbenchError(f"no metric {wanted!r}; {nearest(wanted, known)}")
    scores = {team: cell.scores(wanted) for team, cell in cells.items()}
    return attribute_scores(scores, method, metrics[wanted], teachers, notes)


def attribute_scores(
    scores: Mapping[Team, Scores], method: Attribution, metric: Metric, teachers: Sequence[str] = (), notes: Sequence[str] = ()
) -> TeamAttribution:
    """The same from contributions of one metric."""
    everyone = tuple(teachers or sorted(set().union(*scores)))
    teams = teams_of(everyone)
    _check(scores, teams)
    seeds = tuple(sorted(set.intersection(*(set(scores[team].seeds) for team in teams))))
    if not seeds:
        have = "; ".join(f"{named(team)}: {_list(scores[team].seeds)}" for team in teams)
        raise KdbenchError(f"the sub-teams share no seed, so nothing is paired ({have})")
    values = {team: scores[team].values[[scores[team].seeds.index(seed) for seed in seeds]] for team in teams}
    if len({one.shape for one in values.values()}) > 1:
        raise KdbenchError("the sub-teams were evaluated on test splits of different sizes: they do not compare")
    folds = scores[teams[0]].folds

    def estimated(x: Floats) -> Estimate:
        return Scores(seeds, x, folds=folds).estimate

    estimates = _estimates(values, method, everyone, estimated)
    corrected = {kind: holm(np.array([one[kind].p for one in estimates])) for kind in estimates[0]}
    pairs = zip(everyone, corrected[LEAVE_ONE_OUT], strict=True)
    dispensable = [teacher for teacher, p in pairs if p >= LEVEL]
    lost = sorted({seed for team in teams for seed in scores[team].seeds} - set(seeds))
    said = list(notes)
    if lost:
        said.append(f"left out, as not every sub-team has them: seeds {_list(lost)}")
    if len(seeds) == 1:
        said.append(ONE_SEED_IN_FOLDS if folds else ONE_SEED)
    if len(dispensable) > 1:
        said.append(f"leave-one-out removes one teacher at a time: it does not say that {' and '.join(dispensable)} can all go")
    return TeamAttribution(
        metric=metric,
        method=method.label,
        teachers=everyone,
        seeds=seeds,
        worths=tuple(
            Worth(teacher, estimates[index], {kind: float(p[index]) for kind, p in corrected.items()})
            for index, teacher in enumerate(everyone)
        ),
        total=estimated(values[teams[-1]] - values[teams[0]]),
        teams={tuple(name for name in everyone if name in team): float(values[team].mean()) for team in teams},
        notes=tuple(said),
    )


def _estimates(
    values: Mapping[Team, Floats], method: Attribution, teachers: Sequence[str], estimated: Callable[[Floats], Estimate]
) -> list[dict[str, Estimate]]:
    """Of each teacher by kind."""
    everyone, nobody = frozenset(teachers), frozenset[str]()
    divided = method.divide(values, teachers)
    return [
        {
            LEAVE_ONE_OUT: estimated(values[everyone] - values[everyone - {teacher}]),
            method.label: estimated(divided[teacher]),
            ALONE: estimated(values[nobody | {teacher}] - values[nobody]),
        }
        for teacher in teachers
    ]


def _check(scores: Mapping[Team, Scores], teams: list[Team]) -> None:
    if len(teams) == 1:
        raise KdbenchError("no team has a teacher: there is nothing to attribute")
    if strangers := sorted(set().union(*scores) - teams[-1]):
        raise KdbenchError(f"teams with {', '.join(strangers)}, not among the teachers {', '.join(sorted(teams[-1]))}")
    if missing := [named(team) for team in teams if team not in scores]:
        raise KdbenchError(f"{len(missing)} of {len(teams)} sub-teams are missing: {'; '.join(missing)}")


def _list(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, seeds))
