"""`kdbench run --verbose`: shows what runs, rehearsals and teachers print, line by line, from their logs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from kdbench.contracts import Site, Work
from kdbench.engines.logs import log_path

POLL_SECONDS = 0.3


class LogFollower:
    """A context in which new lines of the logs of `work` are passed to `show`, each after the label of its work.

    Logs of earlier executions are removed at the beginning, as the work itself would.
    """

    def __init__(self, work: Iterable[Work], site: Site, show: Callable[[str], None]) -> None:
        self.labels: dict[Path, str] = {log_path(site, one): one.label for one in work}
        self.show = show
        self.read: dict[Path, int] = {}  # bytes shown of each log
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> LogFollower:
        for path in self.labels:
            path.unlink(missing_ok=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        self.poll(last=True)

    def poll(self, last: bool = False) -> None:
        """Shows the whole lines that are new; with `last`, an unfinished line as well."""
        for path, label in self.labels.items():
            try:
                with path.open("rb") as stream:
                    stream.seek(self.read.get(path, 0))
                    new = stream.read()
            except OSError:
                continue
            whole = new if last else new[: new.rfind(b"\n") + 1]
            self.read[path] = self.read.get(path, 0) + len(whole)
            for line in whole.decode(errors="replace").splitlines():
                self.show(f"{label} | {line}")

    def _follow(self) -> None:
        while not self.ended.wait(POLL_SECONDS):
            self.poll()
