"""`wandb`: logs runs to Weights & Biases or to its offline files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kdbench import KdbenchError, Offer, Tracker, hookimpl
from kdbench_plugins.trackers.naming import epoch_scalars, final_scalars, group_of

if TYPE_CHECKING:
    from wandb import Run

    from kdbench.records.record import Record
    from kdbench.suite.spec import RunSpec


class WandB:
    """Logs one W&B run per run, in `project`; runs that differ only in the seed form a group.

    Its config is the spec. Each epoch logs the mean loss, the teachers' mean weights and, if measured, the validation
    metrics. The summary holds the record's values and its status, which is also the exit code: 0 for `ok` and `skipped`. A
    run that resumes is a new W&B run from that epoch on; both have the same `run_id` in their config. `mode` is by default
    that of the environment (WANDB_MODE). Raises KdbenchError if wandb is not installed, or is online without a login.
    """

    def __init__(self, *, project: str = "kdbench", mode: Literal["online", "offline", "disabled"] | None = None) -> None:
        try:
            import wandb
        except ImportError as error:
            raise KdbenchError(f"Weights & Biases cannot be imported ({error}); pip install 'kdbench[wandb]'") from error
        self.library = wandb
        self.project = project
        self.mode = mode
        self.runs: dict[str, Run] = {}
        if (mode or wandb.setup().settings.mode) == "online":
            try:
                wandb.login()  # now, not in the middle of a display or after an hour of preparing teachers
            except wandb.errors.Error as error:
                raise KdbenchError(f"Weights & Biases: {error}; `wandb login`, or mode: offline") from error

    @hookimpl
    def kdbench_run_started(self, run_id: str, spec: RunSpec) -> None:
        self.runs[run_id] = self.library.init(
            project=self.project,
            mode=self.mode,
            name=spec.label,
            group=group_of(spec),
            config={**spec.model_dump(mode="json"), "run_id": run_id},
            reinit="create_new",  # several runs are open at once
            settings=self.library.Settings(console="off", quiet=True),  # the terminal is the progress display's
        )

    @hookimpl
    def kdbench_epoch_finished(self, run_id: str, epoch: int, metrics: dict[str, float]) -> None:
        self.runs[run_id].log(epoch_scalars(metrics), step=epoch, commit=True)

    @hookimpl
    def kdbench_run_finished(self, run_id: str, record: Record) -> None:
        run = self.runs.pop(run_id)
        figures = final_scalars(record)
        run.summary.update({"status": record.status, "reason": record.reason, **figures})
        run.finish(exit_code=0 if record.status in ("ok", "skipped") else 1)


@hookimpl
def kdbench_trackers() -> list[Offer[Tracker]]:
    return [Offer("wandb", WandB, "logs runs to Weights & Biases or to its offline files")]
