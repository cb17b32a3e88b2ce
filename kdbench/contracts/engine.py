"""Engines: where runs and studies execute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Site:
    """What work is executed with. `jobs` is how many pieces execute at a time; None leaves that to the engine.

    `device` is `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
    """

    results: Path
    cache: Path
    device: str = "auto"
    jobs: int | None = None


class Work(Protocol):
    """A piece of work: a message of `kdbench.engines.messages`."""

    @property
    def key(self) -> str:
        """Identifies it among all pieces; fit for a file name."""
        ...

    @property
    def label(self) -> str:
        """How a person recognises it."""
        ...

    @property
    def needs(self) -> Sequence[str]:
        """Keys of the pieces that compute what it reads. Started before they end, it waits for them or repeats them."""
        ...

    @property
    def workers(self) -> int:
        """How many workers may share it, each executing this same message."""
        ...

    def model_dump_json(self) -> str:
        """Its form between processes, which `kdbench.engines.messages.WORK` reads."""
        ...


class Event(Protocol):
    """What happened to a piece of work: a message of `kdbench.engines.messages`."""

    @property
    def kind(self) -> str:
        """Its class, in the JSON form."""
        ...


class Engine(Protocol):
    """Executes work. The parameters of its builder are its options; a session gives it work and a site.

    An engine decides where and when; what a piece of work is, `kdbench.engines.executor.Executor` knows: in a worker,
    build one for the site and call `execute(work)` for each piece.
    """

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        """Returns when every piece has ended. A piece never comes before those it needs.

        `on_event` receives for each piece Started, then what its executor sends (Finished at the end of a run), or Crashed
        if its worker died; one thread at a time calls it. An error of `on_event`, and an interrupt, ends all workers at
        once and is raised; checkpoints stay. Raises KdbenchError if it cannot work at the site.
        """
        ...
