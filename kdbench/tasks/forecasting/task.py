"""The task `forecasting`. Methods import torch and other heavy modules themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from kdbench.contracts import Contributions, Feed, FeedSettings, Metric, Part, SplitName, Task, TeacherOutputs, World
from kdbench.contracts.border import owner
from kdbench.contracts.task import EVALUATED, Queries, Report
from kdbench.errors import Diverged, PluginError, Skip
from kdbench.tasks.forecasting.metrics import metrics
from kdbench.tasks.forecasting.units import SAMPLES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from kdbench.contracts.shown import Shown
    from kdbench.contracts.values import Arrays
    from kdbench.data.prepare import DataReport
    from kdbench.storage.cache import Cache, Entry
    from kdbench.tasks.forecasting.fields import FieldDataset
    from kdbench.tasks.forecasting.forecasters import Forecaster, ForecastTeacher
    from kdbench.tasks.forecasting.opened import EncodedFields, OpenedFields
    from kdbench.tasks.forecasting.outputs import FieldBatch, Forecast

MOST_FRAMES = 1024  # of a horizon or a rollout, whose errors are stored: bounds the files that a reader accepts
Share = Annotated[float, Field(gt=0, lt=1)]


class Forecasting(Task):
    """Forecasting of fields over time: `history` frames are given, `horizon` frames are forecast, as the dataset says.

    `bands` are the ends of the low and of the middle wavenumbers, as shares of the highest that the grid resolves. With a
    `rollout`, forecasts are fed back for as many frames beyond the horizon, of which the dataset must have the truth.
    """

    name: ClassVar[str] = "forecasting"
    conformance: ClassVar[str] = "kdbench.testing.forecasting"
    compares: ClassVar[bool] = False
    draws: ClassVar[bool] = True

    def __init__(
        self,
        *,
        bands: Annotated[
            list[Share],
            Field(
                min_length=2,
                max_length=2,
                description="Ends of the low and the middle wavenumbers, as shares of the highest: 4 and 12 of a 64 × 64 grid.",
            ),
        ] = [0.125, 0.375],  # noqa: B006
        rollout: Annotated[
            int, Field(ge=0, le=MOST_FRAMES, description="Frames beyond the horizon, forecast from forecasts; adds its errors.")
        ] = 0,
    ) -> None:
        self.bands, self.rollout = tuple(bands), rollout
        self.values_per_unit = MOST_FRAMES
        self._metrics = metrics(rollout)

    @property
    def metrics(self) -> Sequence[Metric]:
        return self._metrics

    # Data

    def misfits(
        self, dataset: FieldDataset, batch_size: int | None, splits: Sequence[SplitName] = EVALUATED
    ) -> Iterator[tuple[str, object, str]]:
        if self.bands[0] >= self.bands[1]:
            yield "evaluate.bands", list(self.bands), "two increasing shares"
        for name in splits:
            frames = dataset.split(name).frames.shape[1] - dataset.history - dataset.horizon
            if self.rollout > frames:
                yield (
                    "evaluate.rollout",
                    self.rollout,
                    f"at most {frames}, the frames beyond the horizon in {{dataset}}'s {name} split",
                )
        if batch_size is not None and batch_size > (samples := len(dataset.split("train").frames)):
            yield "train.batch_size", batch_size, f"at most {samples}, the samples in {{dataset}}'s train split"

    def plugin_misfits(
        self, dataset: FieldDataset, kind: Literal["teacher", "student"], build: Callable[[], Any]
    ) -> Iterator[tuple[str, object, str]]:
        from kdbench.tasks.forecasting.form import misfits

        return misfits(dataset, kind, build)

    def data_problems(self, dataset: FieldDataset) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.forecasting.check_dataset import problems

        return problems(dataset, MOST_FRAMES)

    def open(self, dataset: FieldDataset, cache: Cache, device: str, report: Report) -> OpenedFields:
        from kdbench.tasks.forecasting.opened import OpenedFields

        return OpenedFields(dataset, cache, device, report)

    def check_data(self, dataset: FieldDataset, report: Report, jobs: int | None) -> DataReport:  # noqa: ARG002
        from kdbench.tasks.forecasting.check_fields import check

        return check(dataset, report)

    def store(self, dataset: FieldDataset, cache: Cache, report: Report, jobs: int | None) -> tuple[Entry, str]:  # noqa: ARG002
        data = self.open(dataset, cache, "cpu", report)
        return data.entry, data.digest

    def encode(self, data: OpenedFields, student: Forecaster, split: SplitName) -> EncodedFields:
        from kdbench.tasks.forecasting.borders import check_fit
        from kdbench.tasks.forecasting.opened import encoded

        found = encoded(data, split)
        check_fit(student, data, found.frames.shape[2:], "the student")
        return found

    def teach(self, data: OpenedFields, teacher: ForecastTeacher) -> TeacherOutputs:
        from kdbench.tasks.forecasting.teach import teach

        return teach(Forecasting(), data, teacher)  # a teacher does not depend on the suite's settings

    # Training

    def feed(self, encoded: EncodedFields, settings: FeedSettings) -> Feed:
        from kdbench.tasks.forecasting.feed import FieldFeed

        return FieldFeed(encoded, settings)

    def forward(self, student: Forecaster, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        from kdbench.tasks.forecasting.borders import checked_both
        from kdbench.tasks.forecasting.latents import passed

        forecast, latent = checked_both(student, student.module.with_latent(*inputs), inputs[0])
        passed(student.module, latent)
        return [forecast]

    def outputs(self, student: Forecaster, tensors: Sequence[Tensor]) -> Forecast:  # noqa: ARG002
        from kdbench.tasks.forecasting.outputs import Forecast

        return Forecast(tensors[0])

    def losses(self, outputs: Forecast, batch: FieldBatch) -> Tensor:
        from kdbench.tasks.forecasting.losses import squared_errors

        return squared_errors(outputs.frames, batch.targets)

    def distributions(self, outputs: Forecast) -> Tensor:  # noqa: ARG002
        raise Skip("reads distributions over candidates; a forecast is a field, which has no candidates")

    def embeddings(self, outputs: Forecast) -> Tensor:  # noqa: ARG002
        raise Skip("compares embeddings of samples; a forecast is a field, which has no embedding")

    def check_plugin(self, kind: Literal["teacher", "student"], plugin: object) -> None:
        from kdbench.contracts.border import required
        from kdbench.tasks.forecasting.borders import checked_forecaster

        if kind == "student":
            checked_forecaster(plugin)
        else:
            required(plugin, "a teacher", ["forecaster"])

    def refuses(self, teacher: ForecastTeacher, plugin: object | None) -> str:  # noqa: ARG002
        from kdbench.plugins.internals import internals_read
        from kdbench.tasks.forecasting.latents import MAPS

        other = sorted(set(internals_read(plugin)) - {MAPS})
        return f"internals ({', '.join(other)})" if other else ""

    def sample(
        self, dataset: FieldDataset, student: Forecaster, teachers: Sequence[ForecastTeacher]
    ) -> tuple[EncodedFields, Sequence[TeacherOutputs]]:
        from kdbench.tasks.forecasting.sample import sample

        return sample(dataset, student, teachers, self.rollout)

    # Evaluation

    def evaluate(self, student: Forecaster, encoded: EncodedFields, batch_size: int, device: str, world: World) -> Arrays:
        from kdbench.tasks.forecasting.evaluation import evaluated_errors

        return evaluated_errors(student, encoded, self.bands, self.rollout, batch_size, device, world)

    def evaluate_teacher(
        self, teacher: ForecastTeacher, data: OpenedFields, split: SplitName, prepared: OpenedFields | None = None
    ) -> Arrays:
        from kdbench.tasks.forecasting.evaluation import evaluated_errors
        from kdbench.tasks.forecasting.opened import encoded
        from kdbench.tasks.forecasting.teach import SAMPLES as SAMPLES_AT_ONCE
        from kdbench.tasks.forecasting.teacher_data import prepared as prepared_teacher

        forecaster = prepared_teacher(Forecasting(), data, teacher, prepared)
        seen = encoded(data, split)
        try:
            return evaluated_errors(forecaster, seen, self.bands, self.rollout, SAMPLES_AT_ONCE, data.device)
        except Diverged as error:  # a fault of the teacher, not of a training
            raise PluginError(f"{owner(forecaster)}: found forecasts of the {split} split that are not finite") from error

    def sizes(self, data: OpenedFields) -> dict[str, int]:
        test = data.split("test")
        samples, _, *frame = test.frames.shape
        points = frame[0] * frame[1] * frame[2]
        return {"trajectories": len(set(test.ids)), "samples": samples, "frames": data.horizon, "points": points}

    def units(self, data: OpenedFields) -> dict[str, NDArray[np.int64]]:
        from kdbench.tasks.forecasting.units import trajectories

        ids = data.split("test").ids
        return {SAMPLES: trajectories(ids)} if len(set(ids)) < len(ids) else {}

    def contributions(
        self,
        arrays: Arrays,
        sizes: Mapping[str, int],
        units: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> Contributions:
        from kdbench.tasks.forecasting.units import contributions

        found = super().contributions(arrays, sizes)
        if units:
            return Contributions(contributions(found.values, units[SAMPLES]))
        several = sizes.get("trajectories", 0) < sizes.get("samples", 0)
        return Contributions(found.values, "samples of one trajectory are taken as independent" if several else "")

    @property
    def queries(self) -> Sequence[Queries]:
        mse = self.metric("mse")
        return (Queries(mse.name, "samples", "sample", mse.head, ratio=True, units=SAMPLES, scale=mse.scale),)

    def problems(self, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.forecasting.check_arrays import problems

        return problems(arrays, sizes, self.metrics, self.rollout)

    def unit_problems(self, units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.forecasting.check_arrays import unit_problems

        return unit_problems(units, sizes)

    def record_problems(self, metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:  # noqa: ARG002
        from kdbench.tasks.forecasting.check_arrays import record_problems

        return record_problems(sizes)

    # For a person

    def show(self, data: OpenedFields) -> Shown | None:
        from kdbench.tasks.forecasting.shown import ShownFields

        return ShownFields(data)

    # Cost

    def samples(self, data: OpenedFields) -> dict[str, Any]:
        return {"grid": list(data.split("train").frames.shape[3:])}

    def parts(self, student: Forecaster, samples: Mapping[str, Any], count: int) -> Sequence[Part]:
        from kdbench.tasks.forecasting.parts import forecast

        return forecast(student, samples, count)
