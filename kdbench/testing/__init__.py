"""The conformance kit: what plugin authors run against a plugin, and what kdbench runs against its own.

    from kdbench.testing import check_strategy

    def test_mine():
        check_strategy(lambda: Mine(sharpness=2.0))

A check tries every property of its kind and raises AssertionError that lists those which fail, each with the input, what
was found and what was expected. Properties that do not apply are waived by name. `conform` does the same with an offer and
returns findings.
"""

from kdbench.testing.conform import conform
from kdbench.testing.datasets import check_dataset
from kdbench.testing.findings import Finding
from kdbench.testing.objectives import check_objective
from kdbench.testing.shapes import Shapes
from kdbench.testing.signals import Course, drive, generic_batch, generic_signal
from kdbench.testing.strategies import check_strategy
from kdbench.testing.students import check_student
from kdbench.testing.teachers import check_teacher

__all__ = [
    "Course",
    "Finding",
    "Shapes",
    "check_dataset",
    "check_objective",
    "check_strategy",
    "check_student",
    "check_teacher",
    "conform",
    "drive",
    "generic_batch",
    "generic_signal",
]
