"""Engines: where runs and studies execute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Site:
    """Folders, device and limits that work is executed with.

    `jobs` is the number of pieces of work executed at a time; None leaves it to the engine. `device` is `auto`, `cpu`,
    `cuda`, `cuda:N` or `mps`. `timeout` is the longest time in seconds that a run, a trial or the preparation of a teacher may
    take before its worker is stopped; None is no limit.
    """

    results: Path
    cache: Path
    device: str = "auto"
    jobs: int | None = None
    timeout: float | None = None


class Work(Protocol):
    """A piece of work: a message of `kdbench.engines.messages`."""

    @property
    def key(self) -> str:
        """Identifies the piece of work; safe as a file name."""
        ...

    @property
    def label(self) -> str:
        """A readable name for messages and displays."""
        ...

    @property
    def needs(self) -> Sequence[str]:
        """Keys of the work that computes what this one reads. If started before they end, it waits for them or repeats them."""
        ...

    @property
    def workers(self) -> int:
        """How many workers may execute this same message together."""
        ...

    def model_dump_json(self) -> str:
        """JSON that `kdbench.engines.messages.WORK` reads back in another process."""
        ...


class Event(Protocol):
    """What happened to a piece of work: a message of `kdbench.engines.messages`."""

    @property
    def kind(self) -> str:
        """The name of its class in JSON."""
        ...


class Engine(Protocol):
    """Executes work. The builder's parameters are the engine's options; a session passes the work and a site.

    An engine decides where and when work executes; `kdbench.engines.executor.Executor` knows how. In a worker, build an
    Executor for the site and call `execute(work)` for each piece.
    """

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        """Executes all work and returns when every piece has ended. `work` lists a piece after those it needs.

        For each piece, `on_event` receives Started, then the events of its executor (Finished at the end of a run), or
        Crashed if its worker died. It is called by one thread at a time. If `on_event` raises, or on an interrupt, all
        workers are stopped at once and the exception is raised; checkpoints stay. Raises KdbenchError if the engine cannot
        work at the site.
        """
        ...
