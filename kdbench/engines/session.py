"""Executes a plan: skips recorded runs, passes the rest to an engine, and notifies trackers."""

from __future__ import annotations

from dataclasses import dataclass, field

from kdbench.contracts import Event, Work
from kdbench.engines.dispatch import Dispatcher
from kdbench.engines.make import named
from kdbench.engines.messages import (
    Busy,
    Crashed,
    EpochFinished,
    ExecuteRun,
    Finished,
    ProgressMade,
    RehearsalFailed,
    Rehearse,
    Started,
    rehearsals,
)
from kdbench.plugins.loading import Kind, Plugins
from kdbench.plugins.parameters import construct
from kdbench.records.files import is_finished, recorded
from kdbench.records.parts import FIRST_PARTY, Part, differences, plugins_of
from kdbench.records.record import DONE, Record
from kdbench.suite.plugin_entries import plug
from kdbench.suite.spec import PluginSpec, RunSpec


@dataclass
class Session(Dispatcher):
    """One `kdbench run`."""

    plugins: Plugins
    records: dict[str, Record] = field(default_factory=dict)  # by run id, for this plan
    logs: dict[str, str] = field(default_factory=dict)  # output of failed runs
    changed: dict[str, list[str]] = field(default_factory=dict)  # of recorded runs: what of their code or files has changed
    redone: set[str] = field(default_factory=set)  # runs that are executed although they have a record
    _replaced: dict[str, list[str]] = field(default_factory=dict)  # of those: what has changed
    _started: set[str] = field(default_factory=set)
    _refused: dict[str, str] = field(default_factory=dict)  # by key of the rehearsal that failed: why
    _busy: list[RunSpec] = field(default_factory=list)  # executed by another process

    def track(self, text: str) -> None:
        """Adds a tracker: its name, or a spec in YAML such as `{use: wandb, project: mine}`. Raises KdbenchError."""
        name, params = named(text, "--track", "a tracker")
        spec = plug("tracker", params | {"use": name}, "--track", self.plugins)
        tracker = construct(self.plugins.find("tracker", spec.use).offer, spec.params)
        count = len(self.plugins.manager.list_name_plugin())
        self.plugins.register(tracker, f"--track {spec.use} ({count})")  # the same tracker may serve twice

    def pending(self, specs: list[RunSpec], redo: bool = False) -> list[RunSpec]:
        """The runs without a final record, including failed and skipped ones. Collects the records of the others.

        A recorded run whose code or files have changed since is pending if it diverged, or with `redo`; otherwise `changed`
        says what has. With `redo`, every run that diverged is pending. A transfer run is pending, too, with the run that trains
        its student, and if that one has been executed again since.
        """
        todo = []
        known: dict[str, Part] = {}
        students: dict[str, str] = {}  # by id of the run that trained it: its digest
        for spec in specs:
            record = recorded(self.site.results, spec)
            same = not spec.transfer or (record and record.student_digest == students.get(spec.training.run_id))
            if record and record.status in DONE:
                changed = self._changed(spec, record, known)
                diverged = record.status == "diverged"
                again = (changed and (diverged or redo)) or (diverged and redo)
                if same and not again:
                    self.records[spec.run_id] = record
                    students[spec.run_id] = record.digest_of_student
                    self.changed |= {spec.run_id: changed} if changed else {}
                    continue
                self.redone |= {spec.run_id} if again else set()
                self._replaced[spec.run_id] = changed
            todo.append(spec)
        return todo

    def _changed(self, spec: RunSpec, record: Record, known: dict[str, Part]) -> list[str]:
        """What has changed since a run was recorded. Nothing is known of records from before that was noted."""
        from kdbench.records.examine_parts import examine_parts
        from kdbench.storage.cache import Cache

        if not record.parts:
            return []
        return differences(record.parts, examine_parts(spec, self.plugins, Cache(self.site.cache), known, self.site.results))

    def run(self, specs: list[RunSpec]) -> None:
        """Executes runs. Each gets a record, also if its worker crashes. Raises what `Engine.execute` raises.

        Runs with a plugin that breaks its contract in a rehearsal fail before teachers are prepared for them. Transfer runs
        come after those that train, which are executed once, also if they fail. Of both, runs that another process executes
        come last; their workers wait for it.
        """
        specs = self._rehearsed(specs)
        self._run([spec for spec in specs if not spec.transfer])
        self._run([spec for spec in specs if spec.transfer])

    def _run(self, specs: list[RunSpec]) -> None:
        self._busy = []
        if specs:
            self.dispatch([self._work(spec, wait=False) for spec in specs], specs)
        if waiting := self._busy:
            self.dispatch([self._work(spec, wait=True) for spec in waiting], waiting)

    def _rehearsed(self, specs: list[RunSpec]) -> list[RunSpec]:
        """Rehearses the runs with a plugin of a third party (those of kdbench are rehearsed by its tests); returns the rest
        of the runs, without those that failed.
        """
        foreign = [spec for spec in specs if any(self._foreign(kind, part) for _, kind, part in plugins_of(spec))]
        work = rehearsals(foreign)
        if not work:
            return specs
        self._refused = {}
        self.engine.execute(work, self.site, self._on_event)
        told = {spec.run_id: self._refused.get(Rehearse(spec=spec.training).key) for spec in foreign if spec.team}
        for spec in specs:
            if reason := told.get(spec.run_id):
                self._begin(spec)
                reason = f"rehearsal of two steps on the CPU, before teachers are prepared: {reason}"
                self._ended(spec, self._failed(spec, reason), "")
        return [spec for spec in specs if not told.get(spec.run_id)]

    def _foreign(self, kind: Kind, part: PluginSpec) -> bool:
        listed = self.plugins.offers(kind).get(part.use)
        return listed is None or listed.package != FIRST_PARTY

    @property
    def changes(self) -> list[str]:
        """What has changed since runs were recorded that are not executed again, in sentences."""
        found = []
        for clause in sorted({clause for clauses in self.changed.values() for clause in clauses}):
            runs = [self.records[id].label for id, clauses in self.changed.items() if clause in clauses]
            found.append(f"{clause} since {_runs(runs)} recorded; `kdbench run` with --redo executes {_them(runs)} again")
        return found

    @property
    def diverged(self) -> list[str]:
        """The same for runs that were recorded as diverged."""
        labels = [record.label for record in self.records.values() if record.status == "diverged"]
        return (
            [f"{_runs(labels)} recorded as diverged; `kdbench run` with --redo executes {_them(labels)} again"]
            if labels
            else []
        )

    def _work(self, spec: RunSpec, wait: bool) -> ExecuteRun:
        train = not spec.transfer or spec.training.run_id not in self.records
        return ExecuteRun(spec=spec, wait=wait, redo=spec.run_id in self.redone, train=train)

    def on_event(self, work: Work, event: Event) -> None:
        match event:
            case ProgressMade():
                self.plugins.notify("kdbench_progress", progress=event.progress)
            case EpochFinished():
                metrics = event.metrics
                self.plugins.notify("kdbench_epoch_finished", run_id=event.run_id, epoch=event.epoch, metrics=metrics)
            case Busy() if isinstance(work, ExecuteRun):
                self._busy.append(work.spec)
            case RehearsalFailed():
                self._refused[work.key] = event.reason
            case Started() if isinstance(work, ExecuteRun):
                self._begin(work.spec)
            case Finished() if isinstance(work, ExecuteRun):
                self._ended(work.spec, event.record, event.log)
            case Crashed() if isinstance(work, ExecuteRun):
                reason = f"{event.reason}; run again to resume from its last checkpoint, if it has one"
                self._ended(work.spec, self._failed(work.spec, reason), event.log)

    def _begin(self, spec: RunSpec) -> None:
        if spec.run_id not in self._started:
            self._started.add(spec.run_id)
            self.plugins.notify("kdbench_run_started", run_id=spec.run_id, spec=spec)

    def _ended(self, spec: RunSpec, record: Record, log: str) -> None:
        self.records[spec.run_id] = record
        self.logs[spec.run_id] = log
        changed = self._replaced.get(spec.run_id)
        if changed and record.status not in DONE and is_finished(self.site.results, spec):  # the earlier record stays
            self.changed[spec.run_id] = changed
        self.plugins.notify("kdbench_run_finished", run_id=spec.run_id, record=record)

    def _failed(self, spec: RunSpec, reason: str) -> Record:
        from kdbench.runs.context import RunContext
        from kdbench.runs.once import failed
        from kdbench.storage.cache import Cache

        device = "cpu" if self.site.device == "auto" else self.site.device
        context = RunContext(self.plugins, Cache(self.site.cache), self.site.results, device)
        return failed(spec, context, reason)


def _runs(labels: list[str]) -> str:
    """`1 run (LABEL) was`, `3 runs (LABEL and 2 more) were`."""
    if len(labels) == 1:
        return f"1 run ({labels[0]}) was"
    return f"{len(labels)} runs ({labels[0]} and {len(labels) - 1} more) were"


def _them(labels: list[str]) -> str:
    return "it" if len(labels) == 1 else "them"
