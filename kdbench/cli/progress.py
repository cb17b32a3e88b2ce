"""The display of `kdbench run`: a tracker like any other, registered by the command line."""

from __future__ import annotations

from itertools import islice

from rich.console import Console
from rich.markup import escape
from rich.progress import TaskID
from rich.progress import TimeRemainingColumn as TimeLeftColumn

from kdbench.cli.bars import Bars, duration
from kdbench.contracts import Progress
from kdbench.contracts.hookspecs import hookimpl
from kdbench.records.record import Record
from kdbench.records.tasks import task_of
from kdbench.suite.spec import RunSpec

FEW = 40  # runs up to which a file, which has no bars, gets a line for each stage of each run


class ProgressDisplay(Bars):
    """A bar for each active run, one for all; finished runs scroll up as lines. Plain lines without a terminal.

    Of hundreds of active runs the first are shown, at most half a screen of them, and the others counted.
    """

    def __init__(self, console: Console, total: int) -> None:
        # Runs end in bursts: estimated from half a minute, the remaining time would jump.
        super().__init__(console, TimeLeftColumn(), speed_seconds=3600)
        self.total = total
        self.finished = 0
        self.printed: set[str] = set()
        self.labels: dict[str, str] = {}
        self.tasks: dict[str, TaskID] = {}
        self.hidden: set[TaskID] = set()  # of those, for lack of room
        self.all = self.live.add_task("[bold]all runs", total=total, note="")

    def __enter__(self) -> ProgressDisplay:
        self.live.start()
        return self

    @hookimpl
    def kdbench_run_started(self, run_id: str, spec: RunSpec) -> None:
        self.labels[run_id] = spec.label

    @hookimpl
    def kdbench_progress(self, progress: Progress) -> None:
        name = self.labels.get(progress.run_id, progress.run_id)
        training = progress.stage == "train"
        description = escape(name if training else f"{name}: {progress.stage}")
        if not self.console.is_terminal and (self.total <= FEW or progress.run_id not in self.labels):
            self._print_once(description)
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
    def kdbench_run_finished(self, run_id: str, record: Record) -> None:
        self._drop(run_id)
        self.finished += 1
        self.live.update(self.all, completed=self.finished)
        head = escape(f"[{self.finished}/{self.total}] {record.spec.label}")
        if record.status == "ok":
            seconds = sum(record.timings.get(key, 0.0) for key in ("train", "evaluate"))
            self.line(f"{head}  {escape(headline(record))}  {duration(seconds)}")
        else:
            self.line(f"{head}  [red]{record.status}[/red]: {escape(record.reason)}")

    def _print_once(self, description: str) -> None:
        """Without a terminal there are no bars; a line for each stage shows that something happens."""
        if description not in self.printed:
            self.printed.add(description)
            self.line(f"… {description}")

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
        self.live.update(self.all, note=f"{len(self.hidden)} more active" if self.hidden else "")


def headline(record: Record) -> str:
    """The metric that ranks a run, with its label."""
    metric = task_of(record.spec.task).headline
    return f"{metric.label} {metric.text(metric.scale * record.metrics[metric.name])}"


def _note(progress: Progress) -> str:
    parts = [] if progress.loss is None else [f"loss {progress.loss:.3f}"]
    if len(progress.weights) > 1:
        parts += [f"{name} {weight:.2f}" for name, weight in progress.weights.items()]
    return "  ".join(parts)
