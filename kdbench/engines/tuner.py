"""Conducts the studies of a sweep: hands them to workers until every trial has ended, then writes what was found."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.engines.choice import Where
from kdbench.engines.tasks import Event
from kdbench.errors import KdbenchError, KdbenchWarning
from kdbench.records.study_summary import StudySummary, study_path, summarised, write_summary
from kdbench.tuning.storage import Storage
from kdbench.tuning.study import Study

WAIT_SECONDS = 2.0  # between looks at trials that others are on


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass
class Tuner:
    """One `kdbench sweep`. A study whose summary is written is done, whatever its storage holds."""

    results: Path
    cache: Path
    storage: str
    device: str = "auto"
    jobs: int | None = None
    where: Where = field(default_factory=Where)
    listen: Callable[[Study, Event], None] = field(default=_ignore)  # hears the engine's events
    _opened: Storage | None = None
    _crashes: list[tuple[Study, int | None, Event]] = field(default_factory=list)
    _ended: int = 0  # trials, of this process

    @property
    def opened(self) -> Storage:
        """The storage. Raises KdbenchError where it cannot be opened."""
        if self._opened is None:
            self._opened = Storage(self.storage, self.cache)
        return self._opened

    def summary(self, study: Study) -> StudySummary | None:
        """What a study found; None where it has not ended."""
        return summarised(self.results, study.spec["suite"], study.name)

    def carry_out(self, studies: list[Study]) -> list[StudySummary]:
        """Returns when every trial of every study has ended, here or with others who share the storage.

        Trials that a killed process left are gone on with. One that kills its worker twice has failed. An interrupt ends the
        workers at once; what they saved stays. Raises KdbenchError where workers die before they take up a trial.
        """
        todo = [study for study in studies if self.summary(study) is None]
        for study in todo:
            self.opened.set_up(study)
        while todo := [study for study in todo if not self._finished(study)]:
            if claimable := [study for study in todo if self.opened.claimable(study)]:
                self._round(claimable)
            else:
                time.sleep(WAIT_SECONDS)
        found = [self.summary(study) for study in studies]
        return [summary for summary in found if summary]

    def _finished(self, study: Study) -> bool:
        """Whether all trials have ended; the summary is then written."""
        counts = self.opened.counts(study)
        if counts["waiting"] or counts["running"] or sum(counts.values()) < study.how.trials:
            return False
        summary = self.opened.summary(study)
        write_summary(self.results, summary)
        if summary.pareto:
            _write_pareto(self.results, summary)
        return True

    def _round(self, studies: list[Study]) -> None:
        self._crashes, ended = [], self._ended
        engine = self.where.made(self.results, self.cache, self.device, self.jobs, self._on_event)
        engine.serve(studies, self.storage)
        for study, number, event in self._crashes:
            if number is None and self._ended == ended:
                raise KdbenchError(f"{study.label}: {event['reason']}, before it took up a trial\n{event['log']}")
            if number is not None:
                failed = self.opened.crashed(study, number, event["reason"])
                what = "it has failed" if failed else "it is gone on with"
                message = f"{study.label}, trial {number}: {event['reason'].partition(';')[0]}; {what}"
                warnings.warn(message, KdbenchWarning, stacklevel=2)

    def _on_event(self, about: Any, event: Event) -> None:
        kind = event["event"]
        if kind == "warning":
            warnings.warn(event["message"], KdbenchWarning, stacklevel=2)
        elif not isinstance(about, Study):
            if kind == "crashed":
                warnings.warn(f"a teacher's preparation ended: {event['reason']}", KdbenchWarning, stacklevel=2)
        else:
            if kind == "crashed":
                self._crashes.append((about, event.get("number"), event))
            self._ended += kind == "trial_ended"
            self.listen(about, event)


def _write_pareto(results: Path, summary: StudySummary) -> None:
    """The configurations that no other beats, as a file of their own."""
    path = study_path(results, summary.suite, summary.study).with_suffix(".pareto.json")
    found = {
        "study": summary.study,
        "goals": summary.goals,
        "directions": summary.directions,
        "configurations": [
            {"trial": trial.number, "params": trial.params, "values": dict(zip(summary.goals, trial.values, strict=True))}
            for trial in summary.pareto_trials
        ],
    }
    partial = path.with_suffix(f".partial-{os.getpid()}")
    partial.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)
