"""Executes pieces of work in this process, one after another: the part common to the workers of all engines."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.contracts import Progress, Site, Work
from kdbench.engines.logs import printing_to
from kdbench.engines.messages import (
    AnyEvent,
    Busy,
    Done,
    EpochFinished,
    ExecuteRun,
    Finished,
    PrepareTeacher,
    ProgressMade,
    RehearsalFailed,
    Rehearse,
    ServeStudy,
    TrialEnded,
    TrialStarted,
    Waiting,
    Warned,
    Working,
)
from kdbench.errors import KdbenchError, KdbenchWarning, NotFinite, PluginError, Skip, quoted

if TYPE_CHECKING:
    from kdbench.plugins.loading import Plugins
    from kdbench.tuning.claimed_trial import ClaimedTrial
    from kdbench.tuning.ending import Ending
    from kdbench.tuning.storage import Storage

PROGRESS_SECONDS = 0.5
# Errors in a rehearsal that neither its device, the CPU, nor its few samples explain.
WRONG_ANYWHERE = (PluginError, TypeError, NameError, AttributeError)
# For every worker process: one thread; waiting threads sleep, because spinning threads would slow others on the same core.
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}


class Executor:
    """Executes work at a site and sends its events, the last one being Done.

    It changes global state of the process: one torch thread, `warnings.showwarning` and the listener of locks. `plugins` are by
    default those of this environment. `log` gives the file that a piece of work prints to, as `log_path` does; by default the
    output stays where it goes. A run's log is begun anew under the lock of the run, never while another process executes it.
    """

    def __init__(
        self,
        site: Site,
        send: Callable[[AnyEvent], None],
        plugins: Plugins | None = None,
        log: Callable[[Work], Path] | None = None,
    ) -> None:
        import torch

        from kdbench.plugins.loading import installed
        from kdbench.records.provenance import resolved_device
        from kdbench.runs.context import RunContext
        from kdbench.storage.cache import Cache
        from kdbench.storage.locks import tell_of_waits

        torch.set_num_threads(1)
        tell_of_waits(lambda waits: self.send(Waiting() if waits else Working()))
        self.send, self.log = send, log
        self._last_progress = 0.0
        self._storages: dict[str, Storage] = {}
        self._outer_warn = warnings.showwarning
        warnings.showwarning = self._warn
        self.context = RunContext(
            plugins=plugins or installed(),
            cache=Cache(site.cache),
            results=site.results,
            device=resolved_device(site.device),
            on_progress=self._progress,
            on_epoch=self._epoch,
        )

    def execute(self, work: Work) -> None:
        """Executes one piece of work. A run that fails also gets a record. Raises StorageLost if a study's storage is lost."""
        while self.execute_part(work):
            pass
        self.send(Done())

    def execute_part(self, work: Work) -> bool:
        """Executes one piece of work, of a study one trial, without sending Done. Returns whether there may be another part.

        Raises what `execute` does.
        """
        self.send(Working())
        more = False
        if isinstance(work, Rehearse):
            self._rehearse(work)
        elif isinstance(work, PrepareTeacher):
            self._prepare(work)
        elif isinstance(work, ExecuteRun):
            self._execute(work)
        elif isinstance(work, ServeStudy):
            more = self._serve(work)
        else:
            raise TypeError(f"{work!r} is not a message of kdbench.engines.messages")
        self.context.cache.release()
        return more

    def _rehearse(self, work: Rehearse) -> None:
        from kdbench.runs.rehearse import rehearse

        try:
            with self._printing(work):
                rehearse(work.spec, self.context)
        except Skip:  # the run is recorded as skipped
            return
        except NotFinite as error:  # a spread of one value, for example: other samples may have one
            self._warn_of(work, error)
        except WRONG_ANYWHERE as error:
            self.send(RehearsalFailed(reason=_told(error)))
        except (Exception, SystemExit) as error:
            self._warn_of(work, error)

    def _warn_of(self, work: Rehearse, error: BaseException) -> None:
        text = f"{work.label}: {_told(error)}, on the CPU and a few samples; runs like it may fail, too"
        warnings.warn(text, KdbenchWarning, stacklevel=2)

    def _execute(self, work: ExecuteRun) -> None:
        from kdbench.runs import once

        try:
            record = once.execute_once(
                work.spec,
                self.context,
                wait=work.wait,
                redo=work.redo,
                train=work.train,
                within=lambda: self._printing(work),
            )
        except once.Busy:
            self.send(Busy())
        else:
            self.send(Finished(record=record))

    def _prepare(self, work: PrepareTeacher) -> None:
        from kdbench.runs.execute import prepare

        try:
            with self._printing(work):
                prepare(work.task, work.dataset, work.teacher, self.context, work.teacher.name, work.views, work.fold)
        except (Exception, SystemExit) as error:  # every run that needs this teacher records the same error
            warnings.warn(f"{work.label}: {_told(error)}", KdbenchWarning, stacklevel=1)

    def _serve(self, work: ServeStudy) -> bool:
        from kdbench.tuning.storage import Storage
        from kdbench.tuning.trials import execute_trial

        if work.storage not in self._storages:
            self._storages[work.storage] = Storage(work.storage, self.context.cache.root)

        def on_start(trial: ClaimedTrial) -> None:
            self.send(TrialStarted(number=trial.number, id=trial.id, params=trial.params))

        def on_end(trial: ClaimedTrial, ending: Ending) -> None:
            self.send(
                TrialEnded(
                    number=trial.number,
                    id=trial.id,
                    params=trial.params,
                    state=ending.state,
                    values=ending.values,
                    reason=ending.reason,
                    seconds=ending.seconds,
                )
            )

        with self._printing(work):
            return execute_trial(work.study, self._storages[work.storage], self.context, on_start, on_end)

    @contextmanager
    def _printing(self, work: Work) -> Iterator[None]:
        if self.log is None:
            yield
            return
        # Other processes may execute the same trials, or prepare the same teacher, at the same time.
        with printing_to(self.log(work), shared=not isinstance(work, ExecuteRun)):
            yield

    def _progress(self, progress: Progress) -> None:
        moment = time.monotonic()
        if moment - self._last_progress >= PROGRESS_SECONDS or progress.done == progress.total:
            self._last_progress = moment
            self.send(ProgressMade(progress=progress))

    def _epoch(self, run_id: str, epoch: int, metrics: Mapping[str, float]) -> None:
        self.send(EpochFinished(run_id=run_id, epoch=epoch, metrics=dict(metrics)))

    def _warn(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, KdbenchWarning):
            # In the process that receives the event, it becomes a warning again.
            warnings.showwarning = self._outer_warn
            try:
                self.send(Warned(message=str(message)))
            finally:
                warnings.showwarning = self._warn
        else:
            sys.stderr.write(f"{category.__name__}: {message}\n")


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, KdbenchError | Skip) else quoted(error).removeprefix("raised ")
