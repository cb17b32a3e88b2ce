"""The training data of a teacher: a dataset without its test split, and access to the training loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from kdbench.contracts import Distillation, Task
from kdbench.errors import PluginError
from kdbench.tasks.forecasting.borders import check_fit, checked_forecaster
from kdbench.tasks.forecasting.fields import FieldSplit
from kdbench.tasks.forecasting.forecasters import Forecaster
from kdbench.tasks.forecasting.opened import OpenedFields
from kdbench.training.fit import fit


class OpenedForecastingData:
    """Implements `ForecastingData` without exposing the dataset itself, which has a test split."""

    def __init__(self, task: Task, data: OpenedFields) -> None:
        self._task, self._data = task, data
        self.device = data.device

    def split(self, name: Literal["train", "validation"]) -> FieldSplit:
        if name not in ("train", "validation"):
            raise PluginError(f"a teacher asked for the {name!r} split; it may see 'train' and 'validation'")
        return self._data.split(name)

    def fit(
        self,
        key: str,
        build: Callable[[], Forecaster],
        recipe: dict[str, Any],
        distillation: Distillation | None = None,
    ) -> Forecaster:
        def fitting() -> Forecaster:
            return fitted(build(), self._data)  # before it is trained

        # A forecaster has what the loop reads of a student: a module, its width, `finalize` and `ready`.
        made: Any = fit(self._task, self._data, key, fitting, recipe, distillation=distillation)  # type: ignore[arg-type]
        forecaster: Forecaster = made
        return forecaster


def prepared(task: Task, data: OpenedFields, teacher: Any, trained_on: OpenedFields | None = None) -> Forecaster:
    """The model of a teacher, which has seen training data, of `trained_on` if given, in eval mode on the device of `data`.

    Raises PluginError if it is no forecaster, or one of another form than `data`.
    """
    forecaster = fitted(teacher.forecaster(OpenedForecastingData(task, trained_on or data)), data)
    module: Any = forecaster.module
    module.to(data.device).eval()
    return forecaster


def fitted(forecaster: object, data: OpenedFields) -> Forecaster:
    """A teacher's forecaster. Raises PluginError if it is none, or one of another form than the data."""
    found = checked_forecaster(forecaster)
    check_fit(found, data, data.split("train").frames.shape[2:], "the teacher's forecaster")
    return found
