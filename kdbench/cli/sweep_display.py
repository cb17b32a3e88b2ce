"""The display of `kdbench sweep`: a bar for each study, however many trials it has."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import TaskID

from kdbench.cli.bars import Bars, duration
from kdbench.contracts import Event
from kdbench.contracts import Progress as Stage
from kdbench.engines.messages import ProgressMade, TrialEnded
from kdbench.suite.study import Study

UNFINISHED = ("waiting", "running")


class SweepDisplay(Bars):
    """A bar of trials for each study with the best value so far, and what its workers do. Failed trials get a line each;
    without a terminal, all trials do."""

    def __init__(self, console: Console, done: dict[str, tuple[Study, int, float | None]]) -> None:
        """`done` has for each study, by name, the number of trials that ended before and their best value."""
        super().__init__(console)
        self.tasks: dict[str, TaskID] = {}
        self.best: dict[str, float | None] = {}
        self.ended: dict[str, int] = {}
        for name, (study, ended, best) in done.items():
            self.tasks[name] = self.live.add_task(escape(study.label), total=study.settings.trials, completed=ended, note="")
            self.best[name], self.ended[name] = best, ended

    def __enter__(self) -> SweepDisplay:
        self.live.start()
        return self

    def __call__(self, study: Study, event: Event) -> None:
        """Shows an event of the engine."""
        match event:
            case ProgressMade():
                self._note(study, event.progress)
            case TrialEnded():
                self._ended(study, event)

    def _note(self, study: Study, stage: Stage) -> None:
        best = self.best[study.name]
        parts = [f"best {best:.4f}"] if best is not None else []
        self.live.update(self.tasks[study.name], note="  ".join([*parts, escape(f"{stage.stage} {stage.done}/{stage.total}")]))

    def _ended(self, study: Study, trial: TrialEnded) -> None:
        name, goals = study.name, study.settings.goals
        self.ended[name] += 1
        if trial.state == "complete" and len(goals) == 1:
            value, best = trial.values[0], self.best[name]
            better = min if study.settings.directions == ["minimize"] else max
            self.best[name] = value if best is None else better(best, value)
        self.live.update(self.tasks[name], completed=self.ended[name])
        if not self.console.is_terminal or trial.state == "failed":
            values = "  ".join(f"{goal} {value:.6g}" for goal, value in zip(goals, trial.values, strict=False))
            what = values or f"{trial.state}: {trial.reason}"
            count = f"[{self.ended[name]}/{study.settings.trials}]"
            self.line(escape(f"{count} {study.label}, trial {trial.number}  {what}  {duration(trial.seconds)}"))
