"""`kdbench run --verbose`: shows what runs, rehearsals and teachers print, line by line, from their logs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from kdbench.contracts import Engine, Event, Site, Work
from kdbench.engines.logs import log_path

POLL_SECONDS = 0.3
Place = tuple[int, int]  # number of a file and bytes of it that have been read


class LogFollower:
    """An engine that passes new lines of the logs of its work to `show`, each after the label of the work.

    Reads logs only, and those of work that is being executed only. What earlier executions have printed is not shown.
    """

    def __init__(self, engine: Engine, show: Callable[[str], None]) -> None:
        self.engine, self.show = engine, show
        self.labels: dict[Path, str] = {}  # by log, of work that has started and not ended
        self.read: dict[Path, Place] = {}
        self.lock = threading.Lock()
        self.ended = threading.Event()

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        for one in work:
            path = log_path(site, one)
            if (found := _stat(path)) is not None:
                self.read[path] = found.st_ino, found.st_size

        def hear(one: Work, event: Event) -> None:
            path = log_path(site, one)
            if event.kind == "started":
                with self.lock:
                    self.labels[path] = one.label
            on_event(one, event)
            if event.kind in ("finished", "crashed", "busy"):
                self.poll([path], last=True)
                with self.lock:
                    self.labels.pop(path, None)

        self.ended.clear()
        thread = threading.Thread(target=self._follow, daemon=True)
        thread.start()
        try:
            self.engine.execute(work, site, hear)
        finally:
            self.ended.set()
            thread.join()
            self.poll(last=True)
            self.labels.clear()

    def poll(self, paths: Sequence[Path] | None = None, last: bool = False) -> None:
        """Shows the whole lines that are new; with `last`, an unfinished line as well."""
        with self.lock:
            for path in list(self.labels) if paths is None else paths:
                if path in self.labels:
                    self._poll(path, last)

    def _poll(self, path: Path, last: bool) -> None:
        try:
            with path.open("rb") as stream:
                number = os.fstat(stream.fileno()).st_ino
                before, start = self.read.get(path, (number, 0))
                start = start if number == before else 0  # a log that is begun anew is another file
                stream.seek(start)
                new = stream.read()
        except OSError:
            return
        whole = new if last else new[: new.rfind(b"\n") + 1]
        self.read[path] = number, start + len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self.show(f"{self.labels[path]} | {line}")

    def _follow(self) -> None:
        while not self.ended.wait(POLL_SECONDS):
            self.poll()


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
