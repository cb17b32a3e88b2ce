"""Properties of datasets, teachers, students and objectives of image-text retrieval, and examples for testing its task."""

from collections.abc import Callable
from typing import Any

from kdbench.plugins.loading import Kind
from kdbench.testing.findings import Finding
from kdbench.testing.retrieval import datasets, objectives, students, teachers
from kdbench.testing.retrieval.linear_student import LinearStudent
from kdbench.testing.retrieval.shapes_dataset import Shapes

FIND: dict[Kind, Callable[..., list[Finding]]] = {
    "objective": objectives.find,
    "dataset": datasets.find,
    "teacher": teachers.find,
    "student": students.find,
}
EXAMPLES: dict[Kind, Callable[..., Any]] = {"dataset": Shapes, "student": LinearStudent}
