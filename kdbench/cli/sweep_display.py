"""What a sweep shows while it goes on: a bar for each study, however many trials it has."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from kdbench.cli.progress import duration
from kdbench.engines.tasks import Event
from kdbench.tuning.study import Study

UNFINISHED = ("waiting", "running")


class SweepDisplay:
    """A bar of trials for each study with the best so far, and what its workers are on. Trials that failed are said in lines;
    without a terminal, all trials are."""

    def __init__(self, console: Console, done: dict[str, tuple[Study, int, float | None]]) -> None:
        """`done` has for each study, by name, the trials that ended before and the best value of them."""
        self.console = console
        self.live = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {}
        self.best: dict[str, float | None] = {}
        self.ended: dict[str, int] = {}
        for name, (study, ended, best) in done.items():
            label = escape(study.label)
            self.tasks[name] = self.live.add_task(label, total=study.how.trials, completed=ended, note="")
            self.best[name], self.ended[name] = best, ended

    def __enter__(self) -> SweepDisplay:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def __call__(self, study: Study, event: Event) -> None:
        """Hears an event of the engine."""
        if event["event"] == "progress":
            self._note(study, event["progress"]["stage"], event["progress"]["done"], event["progress"]["total"])
        elif event["event"] == "trial_ended":
            self._ended(study, event)

    def _note(self, study: Study, stage: str, done: int, total: int) -> None:
        best = self.best[study.name]
        parts = [f"best {best:.4f}"] if best is not None else []
        self.live.update(self.tasks[study.name], note="  ".join([*parts, escape(f"{stage} {done}/{total}")]))

    def _ended(self, study: Study, event: Event) -> None:
        name, state = study.name, event["state"]
        self.ended[name] += 1
        if state == "complete" and len(study.how.goals) == 1:
            value, best = event["values"][0], self.best[name]
            self.best[name] = value if best is None else max(best, value)
        self.live.update(self.tasks[name], completed=self.ended[name])
        if not self.console.is_terminal or state == "failed":
            values = "  ".join(f"{goal} {value:.6g}" for goal, value in zip(study.how.goals, event["values"], strict=False))
            what = values or f"{state}: {event['reason']}"
            count = f"[{self.ended[name]}/{study.how.trials}]"
            line = f"{count} {study.label}, trial {event['number']}  {what}  {duration(event['seconds'])}"
            self.console.print(escape(line), highlight=False, soft_wrap=True)
