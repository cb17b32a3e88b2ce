"""A trial that this process executes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kdbench.storage.digest import digest_of
from kdbench.suite.study import Study
from kdbench.suite.sweep import Pruner
from kdbench.tuning.ending import Ending
from kdbench.tuning.halving import prunes
from kdbench.tuning.sampling import restored, sampler_for, suggest
from kdbench.tuning.states import BEST_EPOCH, REASON, SECONDS, STATE, optuna_state

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


class StorageLost(BaseException):
    """A storage that was open does not answer.

    A BaseException, because the trial has not failed: the worker ends, and the next one resumes the trial.
    """


class ClaimedTrial:
    """A trial whose lock this process holds until `end`. `others` returns the values by epoch of the study's other trials."""

    def __init__(
        self,
        study: Study,
        trial: optuna.Trial,
        storage: BaseStorage,
        others: Callable[[], Iterable[Mapping[int, float]]],
        release: Callable[[], None],
    ) -> None:
        self.study, self._trial, self._storage = study, trial, storage
        self._others, self._release = others, release
        self.number = trial.number
        self._reported = dict(self._frozen().intermediate_values)

    @property
    def id(self) -> str:
        """The name of its checkpoint, equal only for equal parameters in the same study."""
        return f"trial-{digest_of([self.study.name, self.number, self.params])[:12]}"

    @property
    def params(self) -> dict[str, Any]:
        """The drawn parameters, by path."""
        drawn = self._trial.params
        return {one.path: restored(one, drawn[one.path]) for one in self.study.space if one.path in drawn}

    def draw(self) -> dict[str, Any]:
        """Draws the parameters that have not been drawn yet, each with its own seed.

        A resumed trial keeps its parameters and draws the missing ones as without the interruption. TPE's draws depend on the
        ended trials: with one worker a study is reproducible, with several it depends on their speed.
        """
        for parameter in self.study.space:
            self._trial.study.sampler = sampler_for(self.study, self.number, parameter)
            suggest(self._trial, parameter)
        return self.params

    def report(self, epoch: int, value: float) -> bool:
        """Stores the metric after an epoch; returns whether to prune the trial. Raises StorageLost."""
        try:
            return self._report(epoch, value)
        except Exception as error:
            raise StorageLost(f"{type(error).__name__}: {error}") from error

    def _report(self, epoch: int, value: float) -> bool:
        settings, spec = self.study.settings, self.study.spec
        if len(settings.goals) > 1:
            return False  # Optuna neither stores epochs of such a study nor prunes it
        if epoch not in self._reported:  # after a kill, epochs since the checkpoint are repeated with the same values
            self._trial.report(value, epoch)
            self._reported[epoch] = value
        if spec.train is None or epoch == spec.epochs:
            return False  # nothing is left to save
        return prunes(
            epoch,
            value,
            self._others(),
            settings.pruner or Pruner(),
            spec.evaluate.every,
            lower_is_better=settings.directions[0] == "minimize",
        )

    def end(self, ending: Ending, forget: Callable[[], None] = lambda: None) -> None:
        """Stores how the trial ended and releases it.

        `forget` removes its checkpoint. It is called once the storage has answered and before the trial counts as ended: a kill
        in between repeats the trial, and no checkpoint outlives an ended one.
        """
        from optuna.exceptions import UpdateFinishedTrialError

        attributes = {STATE: ending.state, REASON: ending.reason, SECONDS: ending.seconds, BEST_EPOCH: ending.best_epoch}
        values = list(ending.values) if ending.state == "complete" else None
        try:
            for name, value in attributes.items():
                self._trial.set_user_attr(name, value)
            forget()
            self._trial.study.tell(self._trial, values, optuna_state(ending.state))
        except (UpdateFinishedTrialError, ValueError):
            if not self._frozen().state.is_finished():  # otherwise this process was cut off and another ended the trial
                raise
        finally:
            self._release()

    def _frozen(self) -> FrozenTrial:
        return self._storage.get_trial(self._trial._trial_id)
