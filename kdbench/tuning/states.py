"""States of trials. Optuna has none for diverged trials, so attributes hold kdbench's states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench.records.study_summary import State

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, TrialState

# Names of trial attributes.
STATE, REASON, SECONDS, BEST_EPOCH, CRASHES = "state", "reason", "seconds", "best_epoch", "crashes"


def optuna_state(state: State) -> TrialState:
    """Optuna's state for an ended trial.

    TPE ranks a pruned trial without a value last, which is right for a diverged one, and ignores failed trials.
    """
    from optuna.trial import TrialState

    states = {"complete": "COMPLETE", "pruned": "PRUNED", "diverged": "PRUNED", "failed": "FAIL"}
    return TrialState[states[state]]


def state_of(trial: FrozenTrial) -> str:
    """`waiting` or `running`, else a `State`."""
    if not trial.state.is_finished():
        return trial.state.name.lower()
    return str(trial.user_attrs.get(STATE) or {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower()))
