"""Tuning studies: one page each, and the study that found a run's parameters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

from kdbench.errors import KdbenchError
from kdbench.records.record import Record
from kdbench.records.study_summary import LARGEST, State, StudySummary, TrialSummary
from kdbench.records.tasks import task_of
from kdbench.reports.plots.trial_history import Step, best_so_far
from kdbench.suite.paths import with_values
from kdbench_plugins.reports.site.page_names import slug
from kdbench_plugins.reports.site.spec_yaml import readable, spec_values

STATES: tuple[State, ...] = get_args(State)
ARROWS = {"maximize": "↑", "minimize": "↓"}


@dataclass
class StudyPage:
    """The page of a study. `runs` are the tuned runs whose parameters it found."""

    summary: StudySummary
    runs: list[Record] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The path of its page within the site."""
        return f"tuning/{slug(f'{self.summary.suite}/{self.summary.study}')}.html"

    @property
    def dataset(self) -> str:
        """Its label."""
        return self.summary.spec.dataset.name

    @property
    def student(self) -> str:
        """Its label."""
        return self.summary.spec.student.name

    @property
    def teachers(self) -> str:
        """Their labels."""
        return " + ".join(self.summary.spec.teachers)

    @property
    def name(self) -> str:
        """The label of its row beside columns for dataset, student and teachers."""
        spec = self.summary.spec
        found = spec.strategy.name if spec.strategy else "one teacher" if spec.team else "no distillation"
        return f"{spec.variant}: {found}" if spec.variant else found

    @cached_property
    def states(self) -> dict[str, int]:
        """Numbers of trials by state; states without trials are left out."""
        found = Counter(trial.state for trial in self.summary.trials)
        return {state: found[state] for state in STATES if found[state]}

    @property
    def planned(self) -> int:
        """The number of trials in its settings."""
        return self.summary.settings.trials

    @property
    def several(self) -> bool:
        """Whether it has several goals, hence no single best trial."""
        return len(self.summary.goals) > 1

    @property
    def best(self) -> TrialSummary | None:
        """The best trial of a study with one goal."""
        return self.summary.best_trial

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The metrics of its task by name; empty if the task is not installed here."""
        try:
            return {metric.name: metric.label for metric in task_of(self.summary.spec.task).metrics}
        except KdbenchError:
            return {}

    @property
    def goals(self) -> list[tuple[str, str]]:
        """Readable names of its goals, each with the direction that is better: ↑ or ↓."""
        ways = zip(self.summary.goals, self.summary.directions, strict=True)
        return [(self.labels.get(goal, goal), ARROWS[way]) for goal, way in ways]

    @property
    def trials(self) -> list[TrialSummary]:
        """By number."""
        return sorted(self.summary.trials, key=lambda trial: trial.number)

    @property
    def front(self) -> list[TrialSummary]:
        """The Pareto set, best in the first goal first."""
        sign = -1 if self.summary.directions[0] == "maximize" else 1
        return sorted(self.summary.pareto_trials, key=lambda trial: (sign * trial.values[0], trial.number))

    @cached_property
    def paths(self) -> dict[str, bool]:
        """The paths of all drawn parameters, each with whether all its values are numbers."""
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
        """The value of every trial by number, and the best so far."""
        return best_so_far(self.summary, goal)

    @property
    def yaml(self) -> str:
        """Its settings, space and spec as YAML."""
        summary = self.summary
        space = [parameter.model_dump(mode="json", exclude_defaults=True) for parameter in summary.space]
        return readable(
            {"settings": summary.settings.model_dump(mode="json"), "space": space, "spec": spec_values(summary.spec)}
        )


def study_pages(summaries: Sequence[StudySummary], records: Iterable[Record]) -> list[StudyPage]:
    """Studies grouped by suite, dataset and student, best first."""
    pages = [StudyPage(summary) for summary in summaries]
    known: dict[str, list[StudyPage]] = defaultdict(list)
    for page in pages:
        if cell := _tuned_cell(page.summary):
            known[cell].append(page)
    for record in records:
        if record.spec.tuning and len(same := known[record.spec.cell_id]) == 1:
            same[0].runs.append(record)
    return sorted(pages, key=lambda page: (page.summary.suite, page.dataset, page.student, _rank(page), page.summary.study))


def _rank(page: StudyPage) -> float:
    sign = -1 if page.summary.directions[0] == "maximize" else 1
    return sign * page.best.values[0] if page.best else 0.0


def _tuned_cell(summary: StudySummary) -> str:
    """The cell of the runs that use the study's best parameters; empty if there is none."""
    if not (best := summary.best_trial):
        return ""
    try:
        return with_values(summary.spec, best.params).replace(tuning=summary.settings.budget).cell_id
    except (KdbenchError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return ""  # parameters that do not fit its spec


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
