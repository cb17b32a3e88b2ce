"""Properties of datasets, teachers, students and objectives of forecasting, and examples for testing its task."""

from collections.abc import Callable
from typing import Any

from kdbench.plugins.loading import Kind
from kdbench.testing.findings import Finding
from kdbench.testing.forecasting import datasets, objectives, students, teachers
from kdbench.testing.forecasting.linear_forecaster import LinearForecaster
from kdbench.testing.forecasting.waves import Waves

FIND: dict[Kind, Callable[..., list[Finding]]] = {
    "objective": objectives.find,
    "dataset": datasets.find,
    "teacher": teachers.find,
    "student": students.find,
}
EXAMPLES: dict[Kind, Callable[..., Any]] = {"dataset": Waves, "student": LinearForecaster}
