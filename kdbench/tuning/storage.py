"""Studies in their storage. A study is created with all its trials; workers claim trials and never add any.

A worker holds the lock of the trial that it executes. A running trial without a lock belongs to a dead process; the next worker
resumes it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kdbench.errors import KdbenchError
from kdbench.records.parts import Parts, differences
from kdbench.records.study_summary import StudySummary
from kdbench.suite.study import Study
from kdbench.tuning.backend import open_backend
from kdbench.tuning.claimed_trial import ClaimedTrial
from kdbench.tuning.sampling import suite_values
from kdbench.tuning.states import CRASHES, REASON, STATE, optuna_state, state_of
from kdbench.tuning.summary import PARTS, parts_of, summary_of

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

MOST_CRASHES = 2  # crashes of workers on one trial, after which it has failed


class Storage:
    """Opens a journal file, or a database by its URL. Raises KdbenchError if it cannot be opened."""

    def __init__(self, url: str, cache: Path) -> None:
        self.backend, self.locks = open_backend(url, cache)
        self._known: dict[str, optuna.Study] = {}

    def set_up(self, study: Study, parts: Parts | None = None) -> None:
        """Creates a study with all its trials, or adds missing ones after an interrupted creation.

        Raises KdbenchError if its trials began with other code or files than these `parts` of its runs.

        The first trial has the suite's own parameters, if they are in the space: on validation at the tuning seed, no cell is
        then worse than without tuning.
        """
        import optuna

        with self.locks.held(study.name):
            made = optuna.create_study(
                storage=self.backend, study_name=study.name, directions=study.settings.directions, load_if_exists=True
            )
            then = parts_of(made)
            if changed := "; ".join(differences(then, parts or {})):
                raise KdbenchError(
                    f"study {study.name}: {changed} since its trials began, which do not compare with new ones; give another "
                    "--storage, or remove the file of this one, to begin anew"
                )
            if parts and not then:
                made.set_user_attr(PARTS, {name: part.model_dump() for name, part in parts.items()})
            for number in range(len(made.get_trials(deepcopy=False)), study.settings.trials):
                made.enqueue_trial({} if number else suite_values(study))
        self._known[study.name] = made

    def claim(self, study: Study) -> ClaimedTrial | None:
        """Claims the next trial of a study, abandoned ones first. None if all have ended or run elsewhere."""
        import optuna

        self._known.pop(study.name, None)  # samplers cache the trials that a study had at their first call
        found = self._study(study)
        with self.locks.held(study.name):
            for abandoned in self._trials(study, "RUNNING"):
                if self._acquire(study, abandoned):
                    return self._claimed(study, optuna.Trial(found, abandoned._trial_id))
            if not self._trials(study, "WAITING"):
                return None  # Optuna would add one
            trial = found.ask()
            self.locks.acquire(_lock(study, trial.number))
            return self._claimed(study, trial)

    def claimable(self, study: Study) -> bool:
        """Whether there is a trial to claim."""
        if self._trials(study, "WAITING"):
            return True
        with self.locks.held(study.name):
            for abandoned in self._trials(study, "RUNNING"):
                if self._acquire(study, abandoned):
                    self.locks.release(_lock(study, abandoned.number))
                    return True
        return False

    def crashed(self, study: Study, number: int, reason: str) -> bool:
        """Counts a crash of a worker against its trial. Returns whether the trial has failed because of too many crashes."""
        found = self._study(study)
        with self.locks.held(study.name):
            abandoned = next((one for one in self._trials(study, "RUNNING") if one.number == number), None)
            if abandoned is None or not self._acquire(study, abandoned):
                return False  # another worker has claimed it meanwhile
            try:
                crashes = abandoned.user_attrs.get(CRASHES, 0) + 1
                self.backend.set_trial_user_attr(abandoned._trial_id, CRASHES, crashes)
                if crashes < MOST_CRASHES:
                    return False
                self.backend.set_trial_user_attr(abandoned._trial_id, STATE, "failed")
                self.backend.set_trial_user_attr(abandoned._trial_id, REASON, reason)
                found.tell(number, state=optuna_state("failed"))
                return True
            finally:
                self.locks.release(_lock(study, number))

    def counts(self, study: Study) -> Counter[str]:
        """Trials by state: complete, pruned, diverged, failed, running, waiting. Empty if there is no such study."""
        return Counter(state_of(trial) for trial in self._trials(study)) if self._exists(study) else Counter()

    def summary(self, study: Study) -> StudySummary:
        """The summary of a study's ended trials; without trials if there is no such study."""
        return summary_of(study, self._study(study) if self._exists(study) else None)

    def _claimed(self, study: Study, trial: optuna.Trial) -> ClaimedTrial:
        others = partial(self._epochs_of_others, study, trial.number)
        return ClaimedTrial(study, trial, self.backend, others, partial(self.locks.release, _lock(study, trial.number)))

    def _epochs_of_others(self, study: Study, number: int) -> list[dict[int, float]]:
        return [trial.intermediate_values for trial in self._trials(study) if trial.number != number]

    def _acquire(self, study: Study, running: FrozenTrial) -> bool:
        """Locks a running trial, unless another process holds its lock or it has ended since it was looked up."""
        name = _lock(study, running.number)
        if not self.locks.acquire(name):
            return False
        if not self.backend.get_trial(running._trial_id).state.is_finished():
            return True
        self.locks.release(name)
        return False

    def _study(self, study: Study) -> optuna.Study:
        import optuna

        if study.name not in self._known:
            self._known[study.name] = optuna.load_study(study_name=study.name, storage=self.backend)
        return self._known[study.name]

    def _exists(self, study: Study) -> bool:
        try:
            self._study(study)
        except KeyError:
            return False
        return True

    def _trials(self, study: Study, state: str | None = None) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        return self._study(study).get_trials(deepcopy=False, states=(TrialState[state],) if state else None)


def _lock(study: Study, number: int) -> str:
    return f"{study.name}-{number}"
