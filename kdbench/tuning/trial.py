"""One trial of a sweep: a run that is trained and validated, and never evaluated on the test split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kdbench.plugins.building import building_with
from kdbench.records.examine_parts import using_plugin
from kdbench.runs.context import RunContext
from kdbench.runs.learn import learn
from kdbench.suite.spec import RunSpec
from kdbench.tuning.costs import costs_of

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class TrialOutcome:
    """The result of a trial's training."""

    validation: dict[str, float]  # metrics of the best epoch, raw
    best_epoch: int
    seconds: float  # of training, including time before a resume
    costs: dict[str, float]  # the requested ones: latency in ms, flops, parameters


class Pruned(Exception):
    """Raised by `on_epoch` to end a trial early."""


def train_trial(spec: RunSpec, context: RunContext, id: str, on_epoch: OnEpoch, costs: Sequence[str] = ()) -> TrialOutcome:
    """Trains `spec` like a run, with the checkpoint `id`; writes no record.

    `on_epoch` receives the metrics of every epoch and may raise Pruned. Raises what training raises: Skip, Diverged,
    KdbenchError and errors of plugins; AssertionError if anything asks for the test split.
    """

    def epoch_ended(run_id: str, epoch: int, metrics: dict[str, float]) -> None:
        context.on_epoch(run_id, epoch, metrics)
        on_epoch(epoch, metrics)

    context.parts(spec, fresh=True)
    with building_with(context.plugins):
        task = context.task(spec.task)
        with using_plugin("dataset", spec.dataset, context.plugins):
            data = task.without_test(context.open(task, spec.dataset, id))
        learned = learn(spec, replace(context, on_epoch=epoch_ended), task, data, id)
        trained = learned.trained
        found = costs_of(learned.student, task, data, context, costs)
    return TrialOutcome(trained.validation, trained.best_epoch, round(trained.seconds, 3), found)
