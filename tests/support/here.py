"""An engine of this process that has the toys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kdbench.contracts import Event, Site, Work
from kdbench.engines.executor import Executor
from kdbench.engines.messages import Started
from tests.support.toys import toy_plugins


class Here:
    """Starts no process. Its executor replaces `warnings.showwarning`, which a test puts back."""

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        current: Work

        def send(event: Event) -> None:
            on_event(current, event)

        executor = Executor(site, send, toy_plugins())
        for current in work:
            send(Started())
            executor.execute(current)
