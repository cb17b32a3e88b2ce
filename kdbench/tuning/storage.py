"""Studies in Optuna's storages: the only file that imports Optuna.

A study has all its trials from the beginning, waiting; workers take them one by one and never add any. Whoever is on a trial
holds its lock, so a trial that runs and is not locked was left by a process that died, and is gone on with.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdbench.errors import KdbenchError
from kdbench.records.study_summary import State, StudySummary, TrialSummary, value_at
from kdbench.storage.digest import digest_of
from kdbench.suite.sweep import Parameter, Pruner
from kdbench.tuning.halving import prunes
from kdbench.tuning.locks import FileLocks, JournalLock, Locks, PostgresLocks
from kdbench.tuning.storage_url import driven, shown
from kdbench.tuning.study import Study

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

# What a trial's attributes are called. Optuna has no state for a trial that diverged.
STATE, REASON, SECONDS, BEST_EPOCH, CRASHES = "state", "reason", "seconds", "best_epoch", "crashes"
MOST_CRASHES = 2  # of a worker on one trial, after which it has failed


class StorageLost(BaseException):
    """A storage that was open does not answer. No Exception, for it is not the trial that failed: the worker ends, and whoever
    comes next goes on with it."""


class Storage:
    """Where studies are kept: a journal file, or a database by its URL. Raises KdbenchError where it cannot be opened."""

    def __init__(self, place: str, cache: Path) -> None:
        import optuna
        from optuna.storages import RDBStorage
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._known: dict[str, optuna.Study] = {}
        self.locks: Locks
        if "://" not in place:
            path = Path(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.locks = FileLocks(path.parent / "locks")
            self.storage: Any = JournalStorage(JournalFileBackend(place, JournalLock(path)))  # type: ignore[arg-type]
            return
        url = driven(place)
        try:
            if url.startswith("postgresql"):
                self.locks = PostgresLocks(url)
            else:
                self.locks = FileLocks(cache / "sweeps" / digest_of(place)[:12])
            with self.locks.held("tables"):  # two who make them at once would be one too many
                self.storage = RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        except ImportError as error:
            raise KdbenchError(f"--storage {shown(place)}: {error}; pip install 'kdbench[postgres]'") from error
        except Exception as error:
            told = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
            raise KdbenchError(f"--storage {shown(place)}: cannot be opened: {told[0]}") from error

    def set_up(self, study: Study) -> None:
        """Makes a study with all its trials, or what of it is still missing. The first has the suite's own parameters, as far
        as the space admits them: by validation at the tuning seed, nobody comes out worse than untuned."""
        import optuna

        with self.locks.held(study.name):
            made = optuna.create_study(
                storage=self.storage, study_name=study.name, directions=study.how.directions, load_if_exists=True
            )
            for number in range(len(made.get_trials(deepcopy=False)), study.how.trials):
                made.enqueue_trial({} if number else _own(study))
        self._known[study.name] = made

    def claim(self, study: Study) -> Claim | None:
        """The next trial of a study: one that was left, or one that waits. None where all are ended or others are on them."""
        import optuna

        self._known.pop(study.name, None)  # samplers remember the trials that a study had when they first asked
        found = self._study(study)
        with self.locks.held(study.name):
            for left in self._trials(study, "RUNNING"):
                if self._take(study, left):
                    return Claim(self, study, optuna.Trial(found, left._trial_id))
            if not self._trials(study, "WAITING"):
                return None  # Optuna would add one
            trial = found.ask()
            self.locks.take(_lock(study, trial.number))
            return Claim(self, study, trial)

    def claimable(self, study: Study) -> bool:
        """Whether there is a trial to be claimed."""
        if self._trials(study, "WAITING"):
            return True
        with self.locks.held(study.name):
            for left in self._trials(study, "RUNNING"):
                if self._take(study, left):
                    self.locks.give_back(_lock(study, left.number))
                    return True
        return False

    def _take(self, study: Study, left: Any) -> bool:
        """The lock of a trial that was running when it was looked up, if nobody holds it and it is running still.

        Whoever had it may have ended it and let go in between: it is done, and must not be done again.
        """
        name = _lock(study, left.number)
        if not self.locks.take(name):
            return False
        if not self.storage.get_trial(left._trial_id).state.is_finished():
            return True
        self.locks.give_back(name)
        return False

    def crashed(self, study: Study, number: int, reason: str) -> bool:
        """Notes that a worker died on a trial of its own accord; True where that was once too often and it has failed."""
        found = self._study(study)
        with self.locks.held(study.name):
            left = next((one for one in self._trials(study, "RUNNING") if one.number == number), None)
            if left is None or not self._take(study, left):
                return False  # others have taken it up meanwhile
            try:
                crashes = left.user_attrs.get(CRASHES, 0) + 1
                self.storage.set_trial_user_attr(left._trial_id, CRASHES, crashes)
                if crashes < MOST_CRASHES:
                    return False
                self.storage.set_trial_user_attr(left._trial_id, STATE, "failed")
                self.storage.set_trial_user_attr(left._trial_id, REASON, reason)
                found.tell(number, state=_state("failed"))
                return True
            finally:
                self.locks.give_back(_lock(study, number))

    def counts(self, study: Study) -> Counter[str]:
        """Trials by state: complete, pruned, diverged, failed, running, waiting. Empty where there is no such study."""
        if not self._exists(study):
            return Counter()
        return Counter(_state_of(trial) for trial in self._trials(study))

    def summary(self, study: Study) -> StudySummary:
        """What is known of a study, its ended trials only; empty where there is none."""
        exists = self._exists(study)
        trials = [_summary(trial, study) for trial in self._trials(study) if trial.state.is_finished()] if exists else []
        how = study.how
        complete = [trial for trial in trials if trial.state == "complete"]
        several = len(how.goals) > 1
        return StudySummary(
            study=study.name,
            digest=study.digest,
            suite=study.spec["suite"],
            label=study.label,
            spec=study.spec,
            space=study.space,
            settings=study.settings,
            version=study.version,
            goals=how.goals,
            directions=how.directions,
            best=None if several or not complete else max(complete, key=lambda one: (one.values[0], -one.number)).number,
            pareto=sorted(trial.number for trial in self._study(study).best_trials) if several and complete else [],
            importance=self._importance(study) if len(complete) > 1 else {},
            trials=trials,
        )

    def others(self, study: Study, number: int) -> list[FrozenTrial]:
        """All trials of a study but one."""
        return [trial for trial in self._trials(study) if trial.number != number]

    def _importance(self, study: Study) -> dict[str, float]:
        """By PED-ANOVA, which needs no scikit-learn; of several goals, for the first. Empty where it cannot be told."""
        import warnings

        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental; few trials
            try:
                found = get_param_importances(
                    self._study(study), evaluator=PedAnovaImportanceEvaluator(), target=lambda trial: trial.values[0]
                )
            except (ValueError, RuntimeError):  # all values are one, say
                return {}
        return {path: round(float(share), 6) for path, share in found.items()}

    def _study(self, study: Study) -> optuna.Study:
        import optuna

        if study.name not in self._known:
            self._known[study.name] = optuna.load_study(study_name=study.name, storage=self.storage)
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


class Claim:
    """A trial that this process is on, until `end`."""

    def __init__(self, storage: Storage, study: Study, trial: optuna.Trial) -> None:
        self._storage, self.study, self._trial = storage, study, trial
        self.number = trial.number
        self._reported = dict(self._frozen().intermediate_values)

    @property
    def id(self) -> str:
        """Names its checkpoint: the same only for the same parameters of the same study."""
        return f"trial-{digest_of([self.study.name, self.number, self.params])[:12]}"

    @property
    def params(self) -> dict[str, Any]:
        """Those drawn, by path."""
        return {one.path: _decoded(one, self._trial.params[one.path]) for one in self.study.parameters if self._drawn(one)}

    def draw(self) -> dict[str, Any]:
        """Draws what has not been drawn yet, each parameter with a seed of its own.

        A trial that was left keeps its parameters, and draws those it lacks as it would have. What TPE draws depends on the
        trials that have ended: with one worker on a study that is always the same, with several on who was faster.
        """
        for one in self.study.parameters:
            self._trial.study.sampler = _sampler(self.study, self.number, one)
            _suggest(self._trial, one)
        return self.params

    def report(self, epoch: int, value: float) -> bool:
        """Notes the metric after an epoch; whether the trial is to be pruned. Raises StorageLost."""
        try:
            return self._report(epoch, value)
        except Exception as error:
            raise StorageLost(f"{type(error).__name__}: {error}") from error

    def _report(self, epoch: int, value: float) -> bool:
        if len(self.study.how.goals) > 1:
            return False  # Optuna neither notes values of such a study's epochs nor prunes it
        if epoch not in self._reported:  # after a kill, epochs since the checkpoint come again, the same
            self._trial.report(value, epoch)
            self._reported[epoch] = value
        cell = self.study.spec
        if epoch == cell["train"]["epochs"]:
            return False  # there is nothing left to save
        others = [one.intermediate_values for one in self._storage.others(self.study, self.number)]
        return prunes(epoch, value, others, self.study.how.pruner or Pruner(), cell["evaluate"]["every"])

    def end(self, state: State, values: list[float] | None = None, reason: str = "", **told: Any) -> None:
        """Writes how the trial ended and lets go of it."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            for name, value in {STATE: state, REASON: reason, **told}.items():
                self._trial.set_user_attr(name, value)
            self._trial.study.tell(self._trial, values, _state(state))
        except (UpdateFinishedTrialError, ValueError):
            if not self._frozen().state.is_finished():  # else: cut off, and somebody else has ended it meanwhile
                raise
        finally:
            self._storage.locks.give_back(_lock(self.study, self.number))

    def _drawn(self, one: Parameter) -> bool:
        return one.path in self._trial.params

    def _frozen(self) -> FrozenTrial:
        found: FrozenTrial = self._storage.storage.get_trial(self._trial._trial_id)
        return found


def _lock(study: Study, number: int) -> str:
    return f"{study.name}-{number}"


def _sampler(study: Study, number: int, one: Parameter) -> BaseSampler:
    from optuna.samplers import RandomSampler, TPESampler

    how = study.how
    seed = int(digest_of([study.digest, how.seed, number, one.path])[:8], 16)
    if how.sampler == "random":
        return RandomSampler(seed=seed)
    # One parameter at a time: a trial that was left between two of them goes on as if it had not been.
    startup = how.startup or min(10, max(1, how.trials // 3))
    return TPESampler(seed=seed, n_startup_trials=startup, multivariate=False, constant_liar=True)


def _suggest(trial: optuna.Trial, one: Parameter) -> None:
    if one.kind == "choice":
        trial.suggest_categorical(one.path, [_encoded(choice) for choice in one.choices])
    elif one.kind == "int":
        trial.suggest_int(one.path, int(one.low), int(one.high), step=int(one.step or 1), log=one.log)
    else:
        trial.suggest_float(one.path, one.low, one.high, step=one.step, log=one.log)


def _own(study: Study) -> dict[str, Any]:
    """What the suite says of the parameters that are tuned, where that is in the space."""
    found = {}
    for one in study.parameters:
        with suppress(KeyError, IndexError, TypeError):  # the student may not have it
            value = value_at(study.spec, one.path)
            if one.admits(value):
                found[one.path] = _encoded(value) if one.kind == "choice" else value
    return found


def _encoded(choice: Any) -> bool | int | float | str | None:
    """A choice as storages keep it: lists and maps as JSON."""
    return choice if choice is None or isinstance(choice, bool | int | float | str) else json.dumps(choice, sort_keys=True)


def _decoded(one: Parameter, value: Any) -> Any:
    if one.kind != "choice":
        return value
    return next(choice for choice in one.choices if _encoded(choice) == value and type(_encoded(choice)) is type(value))


def _state(state: State) -> optuna.trial.TrialState:
    """What Optuna calls it. To TPE a pruned trial without a value is the worst there is, as one that diverged should be; of
    one that failed it takes no notice."""
    from optuna.trial import TrialState

    states = {"complete": "COMPLETE", "pruned": "PRUNED", "diverged": "PRUNED", "failed": "FAIL"}
    return TrialState[states[state]]


def _state_of(trial: FrozenTrial) -> str:
    if not trial.state.is_finished():
        return trial.state.name.lower()
    return str(trial.user_attrs.get(STATE) or {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower()))


def _summary(trial: FrozenTrial, study: Study) -> TrialSummary:
    def utc(moment: datetime | None) -> str | None:
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None

    told: Callable[[str, Any], Any] = trial.user_attrs.get
    state: Any = _state_of(trial)
    return TrialSummary(
        number=trial.number,
        state=state,
        reason=told(REASON, ""),
        params={one.path: _decoded(one, trial.params[one.path]) for one in study.parameters if one.path in trial.params},
        values=list(trial.values or []) if state == "complete" else [],
        epochs=dict(sorted(trial.intermediate_values.items())),
        best_epoch=told(BEST_EPOCH, None),
        seconds=told(SECONDS, None),
        started=utc(trial.datetime_start),
        finished=utc(trial.datetime_complete),
    )
