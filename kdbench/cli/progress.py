"""The progress display: a tracker like any other, registered by the command line."""

from __future__ import annotations

from itertools import islice
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn

from kdbench.contracts import Progress as Where
from kdbench.contracts.hookspecs import hookimpl
from kdbench.suite.plan import RunSpec

FEW = 40  # runs up to which a file, where there are no bars, gets a line for each stage of each run


class ProgressDisplay:
    """A bar for each run at work, one for all; finished runs scroll up as lines. Plain lines where there is no terminal.

    Of hundreds at work the first are shown, as many as leave half of the screen to finished ones, and the others counted.
    """

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self.finished = 0
        self.said: set[str] = set()
        self.labels: dict[str, str] = {}
        self.tasks: dict[str, TaskID] = {}
        self.hidden: set[TaskID] = set()  # of those, for want of room
        self.live = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeLeftColumn(),
            console=console,
            speed_estimate_period=3600,  # runs end in bursts; the last half minute, rich's default, would mislead
            transient=True,
            disable=not console.is_terminal,
        )
        self.all = self.live.add_task("[bold]all runs", total=total, note="")

    def __enter__(self) -> ProgressDisplay:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    @hookimpl
    def kdbench_run_started(self, run_id: str, spec: dict[str, Any]) -> None:
        self.labels[run_id] = RunSpec(**spec).label

    @hookimpl
    def kdbench_progress(self, progress: Where) -> None:
        name = self.labels.get(progress.run_id, progress.run_id)
        training = progress.stage == "train"
        description = escape(name if training else f"{name}: {progress.stage}")
        if not self.console.is_terminal and (self.total <= FEW or progress.run_id not in self.labels):
            self._say_once(description)
        if progress.run_id not in self.tasks:
            self.tasks[progress.run_id] = self.live.add_task(description, total=progress.total, note="", visible=False)
            self.hidden.add(self.tasks[progress.run_id])
            self._show_first()
        task = self.tasks[progress.run_id]
        if self.live.tasks[self.live.task_ids.index(task)].description != description:
            self.live.reset(task, description=description, total=progress.total)
        self.live.update(task, completed=progress.done, total=progress.total, note=_note(progress))
        if not training and progress.done >= progress.total:
            self._drop(progress.run_id)

    @hookimpl
    def kdbench_run_finished(self, run_id: str, record: dict[str, Any]) -> None:
        self._drop(run_id)
        self.finished += 1
        self.live.update(self.all, completed=self.finished)
        count = escape(f"[{self.finished}/{self.total}]")
        label = escape(record["label"])
        if record["status"] == "ok":
            seconds = sum(record["timings"].get(key, 0.0) for key in ("train", "evaluate"))
            line = f"{count} {label}  RSUM {record['metrics']['rsum']:.1f}  {duration(seconds)}"
        else:
            line = f"{count} {label}  [red]{record['status']}[/red]: {escape(record['reason'])}"
        self.console.print(line, highlight=False, soft_wrap=True)

    def _say_once(self, description: str) -> None:
        """Without a terminal there are no bars; a line for each stage tells that something is going on."""
        if description not in self.said:
            self.said.add(description)
            self.console.print(f"… {description}", highlight=False, soft_wrap=True)

    def _drop(self, run_id: str) -> None:
        if run_id in self.tasks:
            task = self.tasks.pop(run_id)
            self.live.remove_task(task)
            self.hidden.discard(task)
            self._show_first()

    def _show_first(self) -> None:
        room = max(3, self.console.height // 2 - 1)
        for task in self.hidden.intersection(islice(self.tasks.values(), room)):
            self.live.update(task, visible=True)
            self.hidden.remove(task)
        self.live.update(self.all, note=f"{len(self.hidden)} more at work" if self.hidden else "")


def duration(seconds: float) -> str:
    """`95` → `1 min 35 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _note(progress: Where) -> str:
    parts = [] if progress.loss is None else [f"loss {progress.loss:.3f}"]
    if len(progress.weights) > 1:
        parts += [f"{name} {weight:.2f}" for name, weight in progress.weights.items()]
    return "  ".join(parts)
