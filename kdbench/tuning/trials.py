"""Executes trials of a study."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from functools import partial

from kdbench.errors import Diverged, KdbenchError, Skip, unexpected
from kdbench.records.study_summary import State
from kdbench.runs.context import RunContext
from kdbench.suite.study import Study
from kdbench.suite.sweep import COSTS
from kdbench.tuning.claimed_trial import ClaimedTrial
from kdbench.tuning.ending import Ending
from kdbench.tuning.storage import Storage
from kdbench.tuning.trial import Pruned, TrialOutcome, train_trial


def execute_trial(
    study: Study,
    storage: Storage,
    context: RunContext,
    on_start: Callable[[ClaimedTrial], None],
    on_end: Callable[[ClaimedTrial, Ending], None],
) -> bool:
    """Claims and executes a trial. Returns False if none is left to claim.

    Calls `on_start` after the trial's parameters are drawn, `on_end` after its end is stored. Raises StorageLost if the storage
    does not answer.
    """
    trial = storage.claim(study)
    if trial is None:
        return False
    trial.draw()
    on_start(trial)
    ending = _ending(trial, context)
    trial.end(ending, partial(context.discard, trial.id))
    on_end(trial, ending)
    return True


def _ending(trial: ClaimedTrial, context: RunContext) -> Ending:
    """Trains a claimed trial and ends it, except on an interrupt, a lost storage, or the end of the process."""
    settings, started = trial.study.settings, time.perf_counter()

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        if settings.metric in metrics and trial.report(epoch, metrics[settings.metric]):
            raise Pruned(f"after epoch {epoch}")

    def ended(state: State, reason: str) -> Ending:
        return Ending(state, (), reason, round(time.perf_counter() - started, 3))

    costs = [goal for goal in settings.goals if goal in COSTS]
    try:
        outcome = train_trial(trial.study.run(trial.params), context, trial.id, on_epoch, costs)
    except Pruned as end:
        return ended("pruned", str(end))
    except Diverged as error:
        return ended("diverged", str(error))
    except (KdbenchError, Skip) as error:
        return ended("failed", str(error))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        return ended("failed", unexpected(error))
    return Ending("complete", _values(settings.goals, outcome), "", outcome.seconds, outcome.best_epoch)


def _values(goals: list[str], outcome: TrialOutcome) -> tuple[float, ...]:
    """Values by goal: costs of the student, metrics of the best epoch."""
    return tuple((outcome.costs if goal in COSTS else outcome.validation)[goal] for goal in goals)
