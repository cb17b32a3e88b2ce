"""`in_process`: in this process, one piece of work after another, so that a debugger works in a plugin's code."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from kdbench import Offer, hookimpl
from kdbench.contracts import Engine, Event, Site, Work


class InProcess:
    """Executes all work in the calling process. What plugins print appears at once; a crash ends the command.

    What a plugin changes in the process stays for the runs after it. `site.jobs` and `site.timeout` do not apply.
    """

    def execute(self, work: Sequence[Work], site: Site, on_event: Callable[[Work, Event], None]) -> None:
        from kdbench.engines.executor import Executor
        from kdbench.engines.messages import AnyEvent, Done, Started, Waiting, Working

        current: list[Work] = []

        def send(event: AnyEvent) -> None:
            if not isinstance(event, Done | Working | Waiting):
                on_event(current[-1], event)

        with warnings.catch_warnings():  # the executor shows warnings in its own way
            executor = Executor(site, send)
            for one in work:
                current.append(one)
                on_event(one, Started())
                executor.execute(one)


@hookimpl
def kdbench_engines() -> list[Offer[Engine]]:
    return [Offer("in_process", InProcess, "this process, one run after another, for debuggers")]
