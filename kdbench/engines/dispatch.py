"""Common code of sessions for runs and studies: a site, an engine, and the treatment of warnings."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdbench.contracts import Engine, Event, Site, Work
from kdbench.engines.messages import Crashed, PrepareTeacher, Rehearse, Warned, preparations
from kdbench.errors import KdbenchWarning
from kdbench.suite.model import Suite
from kdbench.suite.spec import RunSpec


def limited(site: Site, suite: Suite) -> Site:
    """The site with the suite's `timeout`, unless it has one."""
    return replace(site, timeout=suite.timeout) if site.timeout is None else site


@dataclass
class Dispatcher(ABC):
    """Passes work to an engine, teachers first, and turns warnings of workers into warnings here."""

    site: Site
    engine: Engine

    @abstractmethod
    def on_event(self, work: Work, event: Event) -> None:
        """Receives all events except warnings, and crashes in rehearsals and while teachers are prepared."""

    def dispatch(self, work: Sequence[Work], specs: Sequence[RunSpec]) -> None:
        """Executes work on runs of these specs and returns when all has ended. Raises what `Engine.execute` raises."""
        self.engine.execute([*preparations(specs), *work], self.site, self._on_event)

    def _on_event(self, work: Work, event: Event) -> None:
        if isinstance(event, Warned):
            warnings.warn(event.message, KdbenchWarning, stacklevel=2)
        elif isinstance(event, Crashed) and isinstance(work, PrepareTeacher | Rehearse):
            verb = "preparing " if isinstance(work, PrepareTeacher) else ""
            warnings.warn(f"{verb}{work.label} ended early: {event.reason}", KdbenchWarning, stacklevel=2)
        else:
            self.on_event(work, event)
