"""All messages between processes, sent as JSON: work for workers, and the events that they return."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from kdbench.contracts import Progress
from kdbench.errors import LESS_MEMORY
from kdbench.records.record import Record
from kdbench.records.study_summary import State
from kdbench.storage.digest import digest_of
from kdbench.suite.settings import Views
from kdbench.suite.spec import Fold, PluginSpec, RunSpec
from kdbench.suite.study import Study


class Message(BaseModel):
    """An immutable message. Numbers that are not finite survive JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


# Work


class Rehearse(Message):
    """Try a run's plugins on a few samples before teachers are computed."""

    kind: Literal["rehearse"] = "rehearse"
    spec: RunSpec

    @cached_property
    def key(self) -> str:
        """Equal for runs with the same plugins. Teachers count because some lack a tower."""
        spec = self.spec
        parts = [spec.task, spec.dataset, spec.student, *spec.terms, *spec.strategies]
        stages = [stage.canonical for stage in spec.stages]
        return digest_of(["rehearsal", [teacher.plain for teacher in spec.team], *(part.plain for part in parts), *stages])[:12]

    @property
    def label(self) -> str:
        return f"rehearsal of {self.spec.cell_label}"

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    @property
    def workers(self) -> int:
        return 1


class PrepareTeacher(Message):
    """Compute a teacher's outputs on a dataset before the runs that need them."""

    kind: Literal["prepare_teacher"] = "prepare_teacher"
    task: PluginSpec
    dataset: PluginSpec
    teacher: PluginSpec
    views: Views | None = None  # of the train images
    fold: Fold | None = None  # of the dataset

    @cached_property
    def key(self) -> str:
        """Equal for all runs with the same teacher on the same dataset or fold of it, in the same views if there are any."""
        others = [one.model_dump(mode="json") for one in (self.views, self.fold) if one]
        return digest_of([self.task.plain, self.dataset.plain, self.teacher.plain, *others])[:12]

    @property
    def label(self) -> str:
        return f"teacher {self.teacher.name}" + (f" · {self.fold}" if self.fold else "")

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    @property
    def workers(self) -> int:
        return 1


class ExecuteRun(Message):
    """Execute a run and write its record, unless another process has finished it in the meantime.

    While another process executes it, wait for that one, or send Busy if `wait` is false. With `redo`, replace the record of a
    finished run if its code or files have changed. With `train`, a transfer run first executes the run that trains its student.
    """

    kind: Literal["execute_run"] = "execute_run"
    spec: RunSpec
    wait: bool = True
    redo: bool = False
    train: bool = True

    @property
    def key(self) -> str:
        return self.spec.run_id

    @property
    def label(self) -> str:
        return self.spec.label

    @cached_property
    def needs(self) -> tuple[str, ...]:
        trains = (self.spec.training.run_id,) if self.spec.transfer else ()
        return (*trains, *(work.key for work in preparations([self.spec])))

    @property
    def workers(self) -> int:
        return 1


class ServeStudy(Message):
    """Execute trials of a study until none is left to claim."""

    kind: Literal["serve_study"] = "serve_study"
    study: Study
    storage: str  # a journal file or a database URL that all workers can open

    @property
    def key(self) -> str:
        return self.study.digest

    @property
    def label(self) -> str:
        return self.study.label

    @cached_property
    def needs(self) -> tuple[str, ...]:
        return tuple(work.key for work in preparations([self.study.spec]))

    @property
    def workers(self) -> int:
        """As many as there are trials."""
        return self.study.settings.trials


AnyWork = Rehearse | PrepareTeacher | ExecuteRun | ServeStudy
WORK: TypeAdapter[AnyWork] = TypeAdapter(Annotated[AnyWork, Field(discriminator="kind")])


def preparations(specs: Iterable[RunSpec]) -> list[PrepareTeacher]:
    """Work for each teacher on each dataset trained on; runs then need not wait for each other's encoding."""
    found = (
        PrepareTeacher(
            task=spec.task,
            dataset=spec.dataset,
            teacher=teacher,
            views=spec.train.views if spec.train is not None else None,
            fold=spec.fold,
        )
        for spec in specs
        if spec.trained_on is None
        for teacher in spec.team
    )
    return list({work.key: work for work in found}.values())


def rehearsals(specs: Iterable[RunSpec]) -> list[Rehearse]:
    """Work that tries the plugins of each kind of run with teachers."""
    found = (Rehearse(spec=spec) for spec in specs if spec.team and spec.trained_on is None)
    return list({work.key: work for work in found}.values())


# Events


class Started(Message):
    """A worker has begun."""

    kind: Literal["started"] = "started"


class Working(Message):
    """The work begins, or resumes after Waiting: from here on its time counts. Used by engines only."""

    kind: Literal["working"] = "working"


class Waiting(Message):
    """The work waits for another process, such as one that encodes the same teacher; its time does not count.

    Used by engines only.
    """

    kind: Literal["waiting"] = "waiting"


class ProgressMade(Message):
    """The progress of a stage of the work."""

    kind: Literal["progress_made"] = "progress_made"
    progress: Progress


class EpochFinished(Message):
    """The metrics of an epoch of the run or trial with this id."""

    kind: Literal["epoch_finished"] = "epoch_finished"
    run_id: str
    epoch: int
    metrics: dict[str, float]


class Warned(Message):
    """A warning for the user; the work continues."""

    kind: Literal["warned"] = "warned"
    message: str


class TrialStarted(Message):
    """A worker has claimed a trial of a study. `id` identifies the trial in progress and epoch events."""

    kind: Literal["trial_started"] = "trial_started"
    number: int
    id: str
    params: dict[str, Any]


class TrialEnded(Message):
    """A trial has ended; with its values by goal if it is complete. Engines add the log of a failed trial."""

    kind: Literal["trial_ended"] = "trial_ended"
    number: int
    id: str
    params: dict[str, Any]
    state: State
    values: tuple[float, ...] = ()
    reason: str = ""
    seconds: float
    log: str = ""


class RehearsalFailed(Message):
    """A plugin breaks its contract on a few samples, and would in every run like it."""

    kind: Literal["rehearsal_failed"] = "rehearsal_failed"
    reason: str


class Finished(Message):
    """A run has ended with this record. Engines add the log of a failed run."""

    kind: Literal["finished"] = "finished"
    record: Record
    log: str = ""


class Busy(Message):
    """Another process executes the run; nothing was done."""

    kind: Literal["busy"] = "busy"


class Done(Message):
    """The worker is ready for the next piece of work or, after its `last`, to be stopped. Used by engines only."""

    kind: Literal["done"] = "done"
    last: bool = False


class Signalled(Message):
    """A signal ended the worker process."""

    why: Literal["signalled"] = "signalled"
    signal: str  # its name

    def __str__(self) -> str:
        hint = f"; if the memory was exhausted, {LESS_MEMORY}, or --jobs" if self.signal == "SIGKILL" else ""
        return f"its process died (signal {self.signal}){hint}"


class Exited(Message):
    """The worker process ended by itself."""

    why: Literal["exited"] = "exited"
    code: int

    def __str__(self) -> str:
        return f"its process died (exit code {self.code})"


class TimedOut(Message):
    """The work took longer than its limit."""

    why: Literal["timed_out"] = "timed_out"
    seconds: float

    def __str__(self) -> str:
        return (
            f"it was stopped after {self.seconds:g} s, its limit (--timeout, or `timeout` in the suite): see the stacks at the "
            "end of its log, or raise the limit"
        )


class Lost(Message):
    """The worker's process or machine was lost as often as an engine retries without progress in between."""

    why: Literal["lost"] = "lost"
    times: int
    error: str

    def __str__(self) -> str:
        return f"its process was lost {self.times} times at the same step ({self.error})"


class WorkerFailed(Message):
    """The worker itself raised an exception."""

    why: Literal["worker_failed"] = "worker_failed"
    error: str

    def __str__(self) -> str:
        return f"the worker failed: {self.error}"


class Crashed(Message):
    """The worker died. `trial` is the number of the trial that it was executing, `log` the end of its output."""

    kind: Literal["crashed"] = "crashed"
    reason: Annotated[Signalled | Exited | TimedOut | Lost | WorkerFailed, Field(discriminator="why")]
    trial: int | None = None
    log: str = ""


AnyEvent = (
    Started
    | Working
    | Waiting
    | ProgressMade
    | EpochFinished
    | Warned
    | TrialStarted
    | TrialEnded
    | RehearsalFailed
    | Finished
    | Busy
    | Done
    | Crashed
)
EVENT: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="kind")])
