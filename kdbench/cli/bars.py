"""What all displays begin with: progress bars that vanish at the end, with a note, and none without a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from kdbench.contracts.neutral import neutral


class Terminal(Console):
    """Standard error, where what a terminal would obey is made visible, but for Rich's own colours and moves."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"stderr": True} | options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=neutral(segment.text))


class Bars:
    """A context in which `live` shows its tasks. Tasks have a field `note`."""

    def __init__(self, console: Console, *more: ProgressColumn, speed_seconds: float = 30.0) -> None:
        """`more` are further columns; speeds are estimated from the last `speed_seconds`."""
        self.console = console
        self.live = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            *more,
            console=console,
            speed_estimate_period=speed_seconds,
            transient=True,
            disable=not console.is_terminal,
        )

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def line(self, text: str) -> None:
        """Prints a line above the bars; square brackets in `text` are markup."""
        self.console.print(text, highlight=False, soft_wrap=True)


def busy(text: str) -> Status:
    """A context in which a terminal shows a spinner with `text`; nothing stays, and nothing is shown elsewhere."""
    return Terminal().status(Text(text))  # square brackets of a path are no markup


def duration(seconds: float) -> str:
    """`95` → `1 min 35 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
