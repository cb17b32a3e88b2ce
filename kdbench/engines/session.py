"""Carries out a plan: leaves out what is recorded, hands the rest to an engine, tells trackers what happens."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.contracts import Progress
from kdbench.engines.choice import Where
from kdbench.errors import KdbenchError, KdbenchWarning
from kdbench.plugins.loading import Plugins
from kdbench.plugins.parameters import construct
from kdbench.records.record import DONE, Record, recorded
from kdbench.suite.check import plug
from kdbench.suite.plan import RunSpec
from kdbench.suite.yaml_file import parse_scalar


@dataclass
class Session:
    """One `kdbench run`."""

    plugins: Plugins
    results: Path
    cache: Path
    device: str = "auto"
    jobs: int | None = None
    where: Where = field(default_factory=Where)
    records: dict[str, Record] = field(default_factory=dict)  # by run id, of this plan
    logs: dict[str, str] = field(default_factory=dict)  # what failed runs printed

    def track(self, text: str) -> None:
        """Adds a tracker: its name, or a spec in YAML such as `{use: wandb, project: mine}`. Raises KdbenchError."""
        given = parse_scalar(text, "--track")
        params = {"use": given} if isinstance(given, str) else given
        if not isinstance(params, dict) or not isinstance(params.get("use"), str):
            raise KdbenchError(f"--track: found {text!r}, expected a tracker's name or a map such as {{use: NAME, …}}")
        spec = plug("tracker", params, "--track", self.plugins)
        tracker = construct(self.plugins.find("tracker", spec.use).offer, spec.params)
        count = len(self.plugins.manager.list_name_plugin())
        self.plugins.register(tracker, f"--track {spec.use} ({count})")  # the same tracker may serve twice

    def pending(self, specs: list[RunSpec]) -> list[RunSpec]:
        """The runs still to be done; records of the others are taken in. Failed and skipped runs are tried again."""
        todo = []
        for spec in specs:
            record = recorded(self.results, spec.suite, spec.run_id)
            if record and record.status in DONE:
                self.records[spec.run_id] = record
            else:
                todo.append(spec)
        return todo

    def carry_out(self, specs: list[RunSpec]) -> None:
        """Executes runs; each ends with a record, a crash too."""
        self.where.made(self.results, self.cache, self.device, self.jobs, self._on_event).run(specs)

    def _on_event(self, spec: RunSpec | None, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            self.plugins.notify("kdbench_progress", progress=Progress(**event["progress"]))
        elif kind == "warning":
            warnings.warn(event["message"], KdbenchWarning, stacklevel=2)
        elif kind == "epoch":
            self.plugins.notify(
                "kdbench_epoch_finished", run_id=event["run_id"], epoch=event["epoch"], metrics=event["metrics"]
            )
        elif spec is None:
            warnings.warn(f"a teacher's preparation ended: {event['reason']}", KdbenchWarning, stacklevel=2)
        elif kind == "started":
            self.plugins.notify("kdbench_run_started", run_id=spec.run_id, spec=spec.as_dict())
        else:
            record = Record(**event["record"]) if kind == "finished" else self._record_crash(spec, event["reason"])
            self.records[spec.run_id] = record
            self.logs[spec.run_id] = event["log"]
            self.plugins.notify("kdbench_run_finished", run_id=spec.run_id, record=record.model_dump(mode="json"))

    def _record_crash(self, spec: RunSpec, reason: str) -> Record:
        from kdbench.runs.execute import Bench, now, record_of
        from kdbench.storage.cache import Cache

        device = "cpu" if self.device == "auto" else self.device
        return record_of(spec, Bench(self.plugins, Cache(self.cache), self.results, device), "failed", reason, now())
