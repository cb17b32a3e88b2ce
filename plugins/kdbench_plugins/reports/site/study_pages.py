"""Studies of tuning: a page each, and which of them found the parameters of a run."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

from kdbench.errors import KdbenchError
from kdbench.records.record import Record
from kdbench.records.studies import LARGEST
from kdbench.records.study_summary import State, StudySummary, TrialSummary, placed
from kdbench.reports.site.columns import metric_name
from kdbench.reports.site.history import Step, best_so_far
from kdbench.reports.site.slug import slug
from kdbench.reports.site.spec import readable

STATES: tuple[State, ...] = get_args(State)
ARROWS = {"maximize": "↑", "minimize": "↓"}
# `kdbench.suite.plan.OPERATIONAL`: what may differ between a study and the runs that follow from it.
OPERATIONAL = ("checkpoint_every", "devices")


@dataclass
class StudyPage:
    """A study for readers. `runs` are the tuned runs whose parameters it found."""

    summary: StudySummary
    runs: list[Record] = field(default_factory=list)

    @property
    def file(self) -> str:
        return f"tuning/{slug(f'{self.summary.suite}/{self.summary.study}')}.html"

    @property
    def dataset(self) -> str:
        return str(self.summary.spec["dataset"]["name"])

    @property
    def student(self) -> str:
        return str(self.summary.spec["student"]["name"])

    @property
    def teachers(self) -> str:
        return " + ".join(str(teacher["name"]) for teacher in self.summary.spec["team"])

    @property
    def name(self) -> str:
        """What its row is called beside columns for dataset, student and teachers."""
        spec = self.summary.spec
        found = spec["strategy"]["name"] if spec["strategy"] else "one teacher" if spec["team"] else "no teacher"
        return f"{spec['variant']}: {found}" if spec.get("variant") else str(found)

    @cached_property
    def states(self) -> dict[str, int]:
        """Trials by state, of those there are."""
        found = Counter(trial.state for trial in self.summary.trials)
        return {state: found[state] for state in STATES if found[state]}

    @property
    def planned(self) -> int:
        return int(self.summary.settings["trials"])

    @property
    def several(self) -> bool:
        """Whether it trades goals off, so that no trial is the best."""
        return len(self.summary.goals) > 1

    @property
    def best(self) -> TrialSummary | None:
        return self.summary.best_trial

    @property
    def goals(self) -> list[tuple[str, str]]:
        """Their names for a person, each with the way that is better: ↑ or ↓."""
        return [(metric_name(goal), ARROWS[way]) for goal, way in zip(self.summary.goals, self.summary.directions, strict=True)]

    @property
    def trials(self) -> list[TrialSummary]:
        return sorted(self.summary.trials, key=lambda trial: trial.number)

    @property
    def front(self) -> list[TrialSummary]:
        """The Pareto set, best in the first goal first."""
        sign = -1 if self.summary.directions[0] == "maximize" else 1
        return sorted(self.summary.pareto_trials, key=lambda trial: (sign * trial.values[0], trial.number))

    @cached_property
    def paths(self) -> dict[str, bool]:
        """Of all parameters drawn, and whether all their values are numbers."""
        drawn: dict[str, list[Any]] = defaultdict(list)
        for trial in self.trials:
            for path, value in trial.params.items():
                drawn[path].append(value)
        return {path: all(map(_number, values)) for path, values in drawn.items()}

    @property
    def importance(self) -> list[tuple[str, float]]:
        """Most important first."""
        return sorted(self.summary.importance.items(), key=lambda pair: -pair[1])

    def history(self, goal: int) -> list[Step]:
        return best_so_far(self.summary, goal)

    @property
    def yaml(self) -> str:
        summary = self.summary
        return readable({"settings": summary.settings, "space": summary.space, "spec": summary.spec})


def study_pages(summaries: Sequence[StudySummary], records: Iterable[Record]) -> list[StudyPage]:
    """By suite, dataset and student, best first."""
    pages = [StudyPage(summary) for summary in summaries]
    known: dict[str, list[StudyPage]] = defaultdict(list)
    for page in pages:
        if key := _found_by(page.summary):
            known[key].append(page)
    for record in records:
        if record.spec.get("tuning") and len(same := known[_key(record.spec, record.spec["tuning"])]) == 1:
            same[0].runs.append(record)
    return sorted(pages, key=lambda page: (page.summary.suite, page.dataset, page.student, _rank(page), page.summary.study))


def _rank(page: StudyPage) -> float:
    return -page.best.values[0] if page.best else 0.0


def _found_by(summary: StudySummary) -> str:
    """The key of the runs that follow from a study; empty where none does."""
    if not (best := summary.best_trial):
        return ""
    try:
        return _key(placed(summary.spec, best.params), summary.settings)
    except (KdbenchError, KeyError, IndexError, TypeError, ValueError):
        return ""  # parameters that its spec has no place for


def _key(spec: dict[str, Any], budget: dict[str, Any]) -> str:
    """The same for the spec that a study's best trial makes and for the runs that it tuned, whatever their seeds."""
    train = {name: value for name, value in spec["train"].items() if name not in OPERATIONAL}
    kept = {name: value for name, value in spec.items() if value and name not in ("seed", "tuning", "train")}
    return json.dumps([kept, train, budget.get("trials"), budget.get("metric")], sort_keys=True)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
