"""Ends a child that a plugin forked and that returned into kdbench: only the process itself writes checkpoints and records."""

from __future__ import annotations

import os


class OwnProcess:
    """Remembers the process in which a run began."""

    def __init__(self) -> None:
        self.id = os.getpid()

    def check(self) -> None:
        """Ends this process at once if it is a forked copy, which would otherwise train and record the run a second time."""
        if os.getpid() != self.id:
            os._exit(1)
