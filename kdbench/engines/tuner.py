"""Executes the studies of a sweep: passes them to workers until every trial has ended, then writes the summaries."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from kdbench.contracts import Event, Work
from kdbench.engines.dispatch import Dispatcher
from kdbench.engines.messages import Crashed, ServeStudy, TrialEnded
from kdbench.errors import KdbenchError, KdbenchWarning
from kdbench.plugins.loading import installed
from kdbench.records.examine_parts import examine_parts
from kdbench.records.parts import Part, differences
from kdbench.records.study_summary import StudySummary, study_path, summarised, write_pareto, write_summary
from kdbench.storage.cache import Cache
from kdbench.suite.study import Study
from kdbench.tuning.storage import Storage

WAIT_SECONDS = 2.0  # seconds between checks of trials that other processes execute


def _ignore(*_: object) -> None:
    """Ignores all events."""


@dataclass
class Tuner(Dispatcher):
    """One `kdbench sweep`. A study with a summary is complete, even if its storage is gone."""

    storage: str  # a journal file or a database URL
    listener: Callable[[Study, Event], None] = field(default=_ignore)
    _opened: Storage | None = None
    _crashes: list[tuple[Study, Crashed]] = field(default_factory=list)
    _ended: int = 0  # trials, by workers of this process

    @property
    def opened(self) -> Storage:
        """The storage. Raises KdbenchError if it cannot be opened."""
        if self._opened is None:
            self._opened = Storage(self.storage, self.site.cache)
        return self._opened

    def summary(self, study: Study) -> StudySummary | None:
        """The summary of a study; None if it has not ended."""
        return summarised(self.site.results, study)

    def tune(self, studies: list[Study]) -> list[StudySummary]:
        """Executes the studies; returns when every trial has ended, also those in other processes with this storage.

        Trials of killed workers resume from their checkpoints; a trial that kills its worker twice fails. Raises what
        `Engine.execute` raises, and KdbenchError if workers die before claiming a trial.
        """
        todo = []
        known: dict[str, Part] = {}
        for study in studies:
            parts = examine_parts(study.spec, installed(), Cache(self.site.cache), known, self.site.results)
            summary = self.summary(study)
            if summary is None:
                self.opened.set_up(study, parts)
                todo.append(study)
            elif changed := "; ".join(differences(summary.parts, parts)):
                path = study_path(self.site.results, summary.suite, summary.study)
                message = f"{study.label}: {changed} since it was tuned; remove {path} and its storage to tune it again"
                warnings.warn(message, KdbenchWarning, stacklevel=2)
        while todo := [study for study in todo if not self._finished(study)]:
            if claimable := [study for study in todo if self.opened.claimable(study)]:
                self._round(claimable)
            else:
                time.sleep(WAIT_SECONDS)
        found = [self.summary(study) for study in studies]
        return [summary for summary in found if summary]

    def on_event(self, work: Work, event: Event) -> None:
        if isinstance(work, ServeStudy):
            if isinstance(event, Crashed):
                self._crashes.append((work.study, event))
            self._ended += isinstance(event, TrialEnded)
            self.listener(work.study, event)

    def _finished(self, study: Study) -> bool:
        """Returns whether all trials have ended; if so, writes the summary."""
        counts = self.opened.counts(study)
        if counts["waiting"] or counts["running"] or sum(counts.values()) < study.settings.trials:
            return False
        summary = self.opened.summary(study)
        write_summary(self.site.results, summary)
        if summary.pareto:
            write_pareto(self.site.results, summary)
        return True

    def _round(self, studies: list[Study]) -> None:
        """Executes the studies once, then counts crashes against their trials."""
        self._crashes, ended = [], self._ended
        self.dispatch([ServeStudy(study=study, storage=self.storage) for study in studies], [study.spec for study in studies])
        for study, crash in self._crashes:
            if crash.trial is not None:
                failed = self.opened.crashed(study, crash.trial, f"{crash.reason}")
                what = "it has failed" if failed else "it resumes from its checkpoint"
                message = f"{study.label}, trial {crash.trial}: {crash.reason}; {what}"
                warnings.warn(message, KdbenchWarning, stacklevel=2)
            elif self._ended == ended:
                raise KdbenchError(f"{study.label}: {crash.reason}, before it claimed a trial\n{crash.log}")
