"""The conformance kit, with which plugin authors test their plugins and kdbench its own.

    from kdbench.testing import check_strategy

    def test_mine():
        check_strategy(lambda: Mine(sharpness=2.0))

A check tests every property of its kind and raises AssertionError with a list of those that fail, each with the input, the
value found and the value expected. Properties that do not apply are waived by name. `conform` does the same for an offer and
returns findings. Properties of strategies and tasks are here; those of datasets, teachers, students and objectives depend on
the task, and are in `kdbench.testing.retrieval` for image-text retrieval.
"""

from kdbench.testing.conform import conform
from kdbench.testing.findings import Broken, Finding, examine
from kdbench.testing.retrieval.datasets import check_dataset
from kdbench.testing.retrieval.objectives import check_objective
from kdbench.testing.retrieval.shapes_dataset import Shapes
from kdbench.testing.retrieval.signals import Course, drive, generic_batch, generic_signal
from kdbench.testing.retrieval.students import check_student
from kdbench.testing.retrieval.teacher_data import teacher_data
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
    "teacher_data",
]
