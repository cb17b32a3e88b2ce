"""The runs of all sub-teams of a suite's teachers, which attribution to teachers needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from kdbench.errors import KdbenchError, nearest
from kdbench.suite.model import Suite
from kdbench.suite.plan import plan
from kdbench.suite.spec import RunSpec

MOST = 10  # teachers
Team = frozenset[str]


@dataclass(frozen=True)
class Game:
    """One attribution with its runs: for every sub-team, one per seed.

    `strategy` is the label of the strategy of sub-teams of two or more; empty if there is a single teacher.
    """

    dataset: str
    student: str
    variant: str
    strategy: str
    teachers: tuple[str, ...]
    runs: dict[Team, tuple[RunSpec, ...]]

    @property
    def label(self) -> str:
        """How a person recognises it."""
        parts = [self.dataset, self.variant, self.student, " + ".join(self.teachers), self.strategy]
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True)
class Teams:
    """All attributions of a suite; `specs` are their runs, each once, with seeds as the outermost loop."""

    games: list[Game]
    specs: list[RunSpec]
    notes: list[str]


def teams_for(suite: Suite, strategy: str | None = None, teachers: Sequence[str] | None = None) -> Teams:
    """All 2^T sub-teams of `teachers`, by default of each variant's largest team (the first of several).

    Uses the suite's grid: its datasets, students, seeds, variants and strategies (or the named one). Teams that the suite
    lists have the same runs as in `kdbench run`. Sub-teams of fewer than two have no strategy; all strategies use their runs.
    Raises KdbenchError if there is no such strategy or teacher, no team has a teacher, or there are more than 10 teachers.
    """
    variants = suite.variants or {"": suite}
    known = {one.name for variant in variants.values() for one in variant.strategies}
    if strategy is not None and strategy not in known:
        raise KdbenchError(f"{suite.path}: no strategy {strategy!r}; {nearest(strategy, known) or 'it has none'}")
    notes: list[str] = []
    chosen: dict[str, Suite] = {}  # by variant, with the teams replaced
    wholes: dict[str, list[str]] = {}
    for name, variant in variants.items():
        which = f"variant {name}: " if name else ""
        strategies = [one for one in variant.strategies if strategy in (None, one.name)]
        if strategy is not None and not strategies:
            notes.append(f"{which}left out: it has no strategy {strategy!r}")
            continue
        largest = [team for team in variant.teams if len(team) == max(map(len, variant.teams))]
        if teachers is None and len(largest) > 1:
            others = "; ".join(" + ".join(team) for team in largest[1:])
            notes.append(f"{which}there are several largest teams: using the first, {' + '.join(largest[0])}, not {others}")
        whole = _whole(variant, largest[0] if teachers is None else teachers, f"{suite.path}: {which}")
        wholes[name] = _in_order(frozenset(whole), variant)
        chosen[name] = variant.model_copy(update={"strategies": strategies, "references": []})
    _check_number(suite, chosen, wholes)
    for name, variant in chosen.items():
        teams = [_in_order(team, variants[name]) for team in teams_of(wholes[name])]
        chosen[name] = variant.model_copy(update={"teams": teams})
    alone = suite.model_copy(update={"references": [], "variants": chosen}) if suite.variants else chosen[""]
    specs = plan(alone.model_copy(update={"also": []}))
    return Teams(_games(chosen, wholes, specs), specs, notes)


def teams_of(teachers: Sequence[str]) -> list[Team]:
    """All 2^T sub-teams, smaller ones first: none, each teacher, …, all."""
    return [frozenset(team) for size in range(len(teachers) + 1) for team in combinations(teachers, size)]


def named(team: Iterable[str]) -> str:
    """A readable name of a sub-team."""
    return " + ".join(sorted(team)) or "no distillation"


def _whole(suite: Suite, teachers: Sequence[str], where: str) -> list[str]:
    """The teachers of the whole team, checked."""
    for name in teachers:
        if name not in suite.teachers:
            raise KdbenchError(f"{where}no teacher {name!r}; {nearest(name, suite.teachers) or 'it has none'}")
        if list(teachers).count(name) > 1:
            raise KdbenchError(f"{where}found the teacher {name!r} twice, expected each once")
    if not teachers:
        raise KdbenchError(f"{where}no team has a teacher: there is nothing to attribute; list one in `teams:`")
    if not suite.objective:
        raise KdbenchError(f"{where}no `objective:`, expected at least one term, for teams with teachers")
    if len(teachers) > 1 and not suite.strategies:
        raise KdbenchError(f"{where}no `strategies:`, expected at least one, for teams of two or more")
    return list(teachers)


def _in_order(team: Team, suite: Suite) -> list[str]:
    """The teachers of a team in the suite's order: as the suite lists this team, otherwise as in the largest team with them.

    A run's id depends on this order, so it must not depend on the order of `--teachers`.
    """
    holding = sorted((listed for listed in suite.teams if team <= set(listed)), key=len, reverse=True)
    listed = [one for one in holding if len(one) == len(team)]
    return [name for name in (listed or holding or [list(suite.teachers)])[0] if name in team]


def _check_number(suite: Suite, variants: Mapping[str, Suite], wholes: Mapping[str, list[str]]) -> None:
    count = max(map(len, wholes.values()))
    if count <= MOST:
        return
    runs = 0
    for name, variant in variants.items():
        small, every = 1 + len(wholes[name]), 2 ** len(wholes[name])
        cells = small + (every - small) * len(variant.strategies)
        runs += cells * len(suite.seeds) * len(variant.datasets) * len(variant.students)
    raise KdbenchError(
        f"{suite.path}: {count} teachers make {2**count:,} teams, {runs:,} runs in all; expected at most {MOST} teachers: "
        "choose some with --teachers"
    )


def _games(variants: Mapping[str, Suite], wholes: Mapping[str, list[str]], specs: Sequence[RunSpec]) -> list[Game]:
    runs: dict[tuple[str, str, str, str, Team], list[RunSpec]] = defaultdict(list)
    for spec in specs:
        team = frozenset(spec.teachers)
        strategy = spec.strategy.name if spec.strategy else ""
        runs[spec.dataset.name, spec.student.name, spec.variant, strategy, team].append(spec)
    games = []
    for variant, suite in variants.items():
        whole = wholes[variant]
        strategies = [one.name for one in suite.strategies] if len(whole) > 1 else [""]
        for dataset, student, strategy in product(suite.datasets, suite.students, strategies):
            key = dataset.name, student.name, variant
            own = {team: tuple(runs[*key, strategy if len(team) > 1 else "", team]) for team in teams_of(whole)}
            games.append(Game(*key, strategy, tuple(whole), own))
    return games
