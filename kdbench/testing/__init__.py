"""The conformance kit: what plugin authors run against a plugin, and what kdbench runs against its own.

    from kdbench.testing import check_strategy

    def test_mine():
        check_strategy(lambda: Mine(sharpness=2.0))

A check tries every property of its kind and raises AssertionError that lists those which fail, each with the input, what
was found and what was expected. Properties that do not apply are waived by name. `conform` does the same with an offer and
returns findings. Strategies and tasks are tried here; datasets, teachers, students and objectives have the properties that
their task asks for, those of image-text retrieval in `kdbench.testing.retrieval`.
"""

from kdbench.testing.conform import conform
from kdbench.testing.findings import Broken, Finding, examine
from kdbench.testing.retrieval.datasets import check_dataset
from kdbench.testing.retrieval.objectives import check_objective
from kdbench.testing.retrieval.shapes_dataset import Shapes
from kdbench.testing.retrieval.signals import Course, drive, generic_batch, generic_signal
from kdbench.testing.retrieval.students import check_student
from kdbench.testing.retrieval.teachers import check_teacher
from kdbench.testing.strategies import check_strategy
from kdbench.testing.tasks import check_task

__all__ = [
    "Broken",
    "Course",
    "Finding",
    "Shapes",
    "check_dataset",
    "check_objective",
    "check_strategy",
    "check_student",
    "check_task",
    "check_teacher",
    "conform",
    "drive",
    "examine",
    "generic_batch",
    "generic_signal",
]
