"""Executes a plan: skips recorded runs, passes the rest to an engine, and notifies trackers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kdbench.contracts import Event, Work
from kdbench.engines.dispatch import Dispatcher
from kdbench.engines.make import named
from kdbench.engines.messages import Crashed, EpochFinished, ExecuteRun, Finished, ProgressMade, Started
from kdbench.plugins.loading import Plugins
from kdbench.plugins.parameters import construct
from kdbench.records.files import record_path, recorded
from kdbench.records.record import DONE, Outcome, Record
from kdbench.suite.plugin_entries import plug
from kdbench.suite.spec import RunSpec


@dataclass
class Session(Dispatcher):
    """One `kdbench run`."""

    plugins: Plugins
    records: dict[str, Record] = field(default_factory=dict)  # by run id, for this plan
    logs: dict[str, str] = field(default_factory=dict)  # output of failed runs
    outdated: dict[str, Path] = field(default_factory=dict)  # files that a repeated run replaces but does not overwrite

    def track(self, text: str) -> None:
        """Adds a tracker: its name, or a spec in YAML such as `{use: wandb, project: mine}`. Raises KdbenchError."""
        name, params = named(text, "--track", "a tracker")
        spec = plug("tracker", params | {"use": name}, "--track", self.plugins)
        tracker = construct(self.plugins.find("tracker", spec.use).offer, spec.params)
        count = len(self.plugins.manager.list_name_plugin())
        self.plugins.register(tracker, f"--track {spec.use} ({count})")  # the same tracker may serve twice

    def pending(self, specs: list[RunSpec]) -> list[RunSpec]:
        """The runs without a final record, including failed and skipped ones. Collects the records of the others."""
        todo = []
        for spec in specs:
            record = recorded(self.site.results, spec)
            if record and record.status in DONE:
                self.records[spec.run_id] = record
                continue
            todo.append(spec)
            if record and record.run_id != spec.run_id:  # of format 1, where runs have other ids
                self.outdated[spec.run_id] = record_path(self.site.results, spec.suite, record.run_id)
        return todo

    def run(self, specs: list[RunSpec]) -> None:
        """Executes runs. Each gets a record, also if its worker crashes. Raises what `Engine.execute` raises."""
        self.dispatch([ExecuteRun(spec=spec) for spec in specs], specs)

    def on_event(self, work: Work, event: Event) -> None:
        match event:
            case ProgressMade():
                self.plugins.notify("kdbench_progress", progress=event.progress)
            case EpochFinished():
                metrics = event.metrics
                self.plugins.notify("kdbench_epoch_finished", run_id=event.run_id, epoch=event.epoch, metrics=metrics)
            case Started() if isinstance(work, ExecuteRun):
                self.plugins.notify("kdbench_run_started", run_id=work.spec.run_id, spec=work.spec)
            case Finished() if isinstance(work, ExecuteRun):
                self._ended(work.spec, event.record, event.log)
            case Crashed() if isinstance(work, ExecuteRun):
                self._ended(work.spec, self._record_crash(work.spec, event), event.log)

    def _ended(self, spec: RunSpec, record: Record, log: str) -> None:
        self.records[spec.run_id] = record
        self.logs[spec.run_id] = log
        if spec.run_id in self.outdated:
            self.outdated.pop(spec.run_id).unlink(missing_ok=True)
        self.plugins.notify("kdbench_run_finished", run_id=spec.run_id, record=record)

    def _record_crash(self, spec: RunSpec, event: Crashed) -> Record:
        from kdbench.runs.context import RunContext
        from kdbench.runs.execute import now, record_of
        from kdbench.storage.cache import Cache

        device = "cpu" if self.site.device == "auto" else self.site.device
        context = RunContext(self.plugins, Cache(self.site.cache), self.site.results, device)
        reason = f"{event.reason}; its checkpoint is kept, run again to resume"
        return record_of(spec, context, "failed", reason, now(), Outcome())
