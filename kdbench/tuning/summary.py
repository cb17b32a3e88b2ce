"""The summary of a study from its trials in Optuna's storage."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kdbench.records.parts import Part
from kdbench.records.study_summary import StudySummary, TrialSummary
from kdbench.suite.study import Study
from kdbench.tuning.sampling import restored
from kdbench.tuning.states import BEST_EPOCH, REASON, SECONDS, state_of

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

PARTS = "parts"  # name of a study's attribute


def summary_of(study: Study, kept: optuna.Study | None) -> StudySummary:
    """The summary of a study's ended trials; without trials if the storage has no such study."""
    ended = [trial for trial in kept.get_trials(deepcopy=False) if trial.state.is_finished()] if kept else []
    trials = [_trial_summary(trial, study) for trial in ended]
    complete = [trial for trial in trials if trial.state == "complete"]
    signs = [1 if direction == "maximize" else -1 for direction in study.settings.directions]
    several = len(signs) > 1
    best = max(complete, key=lambda trial: (signs[0] * trial.values[0], -trial.number)).number if complete else None
    return StudySummary.of(
        study,
        best=None if several else best,
        pareto=sorted(trial.number for trial in kept.best_trials) if kept and several and complete else [],
        importance=_importance(kept, signs) if kept and len(complete) > 1 else {},
        trials=trials,
        parts=parts_of(kept) if kept else {},
    )


def parts_of(kept: optuna.Study) -> dict[str, Part]:
    """The parts of a study's runs when it began; empty if they were not noted."""
    return {name: Part.model_validate(part) for name, part in kept.user_attrs.get(PARTS, {}).items()}


def _importance(kept: optuna.Study, signs: list[int]) -> dict[str, float]:
    """Importances of the parameters, as fractions, by PED-ANOVA, for the first goal; {} if there are none.

    PED-ANOVA, which does not need scikit-learn, measures how much parameters decide whether a trial is among the best; it
    treats low values of the target as best.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental; few trials
        try:
            found = get_param_importances(
                kept, evaluator=PedAnovaImportanceEvaluator(), target=lambda trial: -signs[0] * trial.values[0]
            )
        except (ValueError, RuntimeError):  # such as where all values are equal
            return {}
    return {path: round(float(share), 6) for path, share in found.items()}


def _trial_summary(trial: FrozenTrial, study: Study) -> TrialSummary:
    state: Any = state_of(trial)
    attributes = trial.user_attrs
    return TrialSummary(
        number=trial.number,
        state=state,
        reason=attributes.get(REASON, ""),
        params={one.path: restored(one, trial.params[one.path]) for one in study.space if one.path in trial.params},
        values=list(trial.values or []) if state == "complete" else [],
        epochs=dict(sorted(trial.intermediate_values.items())),
        best_epoch=attributes.get(BEST_EPOCH),
        seconds=attributes.get(SECONDS),
        started=_utc(trial.datetime_start),
        finished=_utc(trial.datetime_complete),
    )


def _utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
