"""Parameters for Optuna: their samplers, distributions, and stored form."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kdbench.storage.digest import digest_of
from kdbench.suite.paths import value_at
from kdbench.suite.study import Study
from kdbench.suite.sweep import Parameter

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler

Kept = bool | int | float | str | None


def sampler_for(study: Study, number: int, parameter: Parameter) -> BaseSampler:
    """The sampler of one parameter of one trial, with its own seed.

    One parameter at a time: a trial that is killed between two of them resumes with the same draws.
    """
    from optuna.samplers import RandomSampler, TPESampler

    settings = study.settings
    seed = int(digest_of([study.digest, settings.seed, number, parameter.path])[:8], 16)
    if settings.sampler == "random":
        return RandomSampler(seed=seed)
    startup = settings.startup or min(10, max(1, settings.trials // 3))
    return TPESampler(seed=seed, n_startup_trials=startup, multivariate=False, constant_liar=True)


def suggest(trial: optuna.Trial, parameter: Parameter) -> None:
    """Draws a parameter, unless the trial has it already."""
    low, high, step, log = parameter.low, parameter.high, parameter.step, parameter.log
    if parameter.kind == "choice":
        trial.suggest_categorical(parameter.path, [kept(choice) for choice in parameter.choices])
    elif parameter.kind == "int":
        trial.suggest_int(parameter.path, int(low), int(high), step=int(step or 1), log=log)
    else:
        trial.suggest_float(parameter.path, low, high, step=step, log=log)


def suite_values(study: Study) -> dict[str, Kept]:
    """The suite's own values of the parameters in stored form, without those outside the space."""
    found: dict[str, Kept] = {}
    for parameter in study.space:
        with suppress(KeyError, IndexError, TypeError, ValueError):  # the student may not have it
            value = value_at(study.spec, parameter.path)
            if parameter.admits(value):
                found[parameter.path] = kept(value) if parameter.kind == "choice" else value
    return found


def kept(choice: Any) -> Kept:
    """A choice in stored form: lists and maps as JSON."""
    return choice if choice is None or isinstance(choice, bool | int | float | str) else json.dumps(choice, sort_keys=True)


def restored(parameter: Parameter, value: Kept) -> Any:
    """The parameter's value from its stored form."""
    if parameter.kind != "choice":
        return value
    return next(choice for choice in parameter.choices if kept(choice) == value and type(kept(choice)) is type(value))
