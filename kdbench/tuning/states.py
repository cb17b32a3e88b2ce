"""The states of trials as Optuna keeps them, which has none for a trial that diverged: attributes hold ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench.records.study_summary import State

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, TrialState

# Names of a trial's attributes.
STATE, REASON, SECONDS, BEST_EPOCH, CRASHES = "state", "reason", "seconds", "best_epoch", "crashes"


def optuna_state(state: State) -> TrialState:
    """Optuna's state of an ended trial.

    TPE ranks a pruned trial without a value last, as a diverged one should be, and ignores failed ones.
    """
    from optuna.trial import TrialState

    states = {"complete": "COMPLETE", "pruned": "PRUNED", "diverged": "PRUNED", "failed": "FAIL"}
    return TrialState[states[state]]


def state_of(trial: FrozenTrial) -> str:
    """`waiting` or `running`, else a `State`."""
    if not trial.state.is_finished():
        return trial.state.name.lower()
    return str(trial.user_attrs.get(STATE) or {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower()))
