"""`tensorboard`: event files for TensorBoard (Abadi et al., OSDI 2016), written by torch.utils.tensorboard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench import KdbenchError, Offer, Tracker, hookimpl
from kdbench_plugins.trackers.naming import epoch_scalars, final_scalars, hyperparameters

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from kdbench.records.record import Record
    from kdbench.suite.spec import RunSpec


class TensorBoard:
    """Writes one folder per run, `<log_dir>/<suite>/<run>`; `tensorboard --logdir <log_dir>` shows them all.

    Logs, for each epoch, the mean loss, the teachers' mean weights and, if measured, the validation metrics; at the end, the
    record's values and, for a run that is ok, a row in the table of hyperparameters. A run that resumes or is repeated
    continues in its folder; later epochs from before are hidden. Raises KdbenchError if tensorboard is not installed.
    """

    def __init__(self, *, log_dir: str = "runs") -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise KdbenchError(f"TensorBoard cannot be imported ({error}); pip install 'kdbench[tensorboard]'") from error
        self.writer_class = SummaryWriter
        self.log_dir = Path(log_dir).resolve()
        self.specs: dict[str, RunSpec] = {}  # by run id, like all the following
        self.writers: dict[str, SummaryWriter] = {}
        self.epochs: dict[str, int] = {}

    @hookimpl
    def kdbench_run_started(self, run_id: str, spec: RunSpec) -> None:
        self.specs[run_id] = spec

    @hookimpl
    def kdbench_epoch_finished(self, run_id: str, epoch: int, metrics: dict[str, float]) -> None:
        writer = self.writers.get(run_id) or self._open(run_id, epoch, purge_step=epoch)
        self.epochs[run_id] = epoch
        for name, value in epoch_scalars(metrics).items():
            writer.add_scalar(name, value, epoch)
        writer.flush()  # visible now, and kept after an interrupt

    @hookimpl
    def kdbench_run_finished(self, run_id: str, record: Record) -> None:
        spec, ok = record.spec, record.status == "ok"
        epoch = spec.epochs if ok and spec.epochs else self.epochs.get(run_id, 0)
        self.specs.setdefault(run_id, spec)
        # Without an epoch since the run started or resumed, earlier events stay unchanged.
        writer = self.writers.get(run_id) or self._open(run_id, epoch, purge_step=None)
        writer.add_text("status", ": ".join(filter(None, [record.status, record.reason])), epoch)
        figures = final_scalars(record)
        for name, value in figures.items():
            writer.add_scalar(name, value, epoch)
        if ok:
            _add_hyperparameters(writer, spec, figures)
        writer.close()
        for known in (self.specs, self.writers, self.epochs):
            known.pop(run_id, None)

    def _open(self, run_id: str, epoch: int, purge_step: int | None) -> SummaryWriter:
        """Opens the run's writer at its first epoch; only then is it known where the run resumes."""
        spec = self.specs[run_id]
        folder = self.log_dir / _file_name(spec.suite) / f"{_file_name(spec.label)[:150]}-{run_id}"
        writer = self.writers[run_id] = self.writer_class(str(folder), purge_step=purge_step)
        writer.add_text("spec", f"```json\n{spec.model_dump_json(indent=2)}\n```", epoch)
        return writer


def _add_hyperparameters(writer: SummaryWriter, spec: RunSpec, figures: dict[str, float]) -> None:
    # As writer.add_hparams, but into the run's own file: that opens a second one, which TensorBoard shows as another run.
    from torch.utils.tensorboard.summary import hparams

    for summary in hparams(hyperparameters(spec), figures):  # type: ignore[no-untyped-call]
        writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]


def _file_name(text: str) -> str:
    """`small · a+b · seed 0` → `small-a+b-seed-0`, a name that is valid in every file system."""
    return re.sub(r"[^\w.+=]+", "-", text).strip("-.")


@hookimpl
def kdbench_trackers() -> list[Offer[Tracker]]:
    return [Offer("tensorboard", TensorBoard, "writes curves, specs and hyperparameters as event files for TensorBoard")]
