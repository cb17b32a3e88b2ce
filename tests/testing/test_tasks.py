"""The kit over the first-party task, and over wrong ones, of which it must name the property they break."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kdbench.tasks.retrieval import Retrieval
from kdbench.testing import check_task
from kdbench.testing.retrieval import Shapes
from kdbench.testing.retrieval.linear_student import LinearStudent


def test_retrieval_conforms() -> None:
    check_task(lambda: Retrieval(recall_at=[1, 5]), Shapes, LinearStudent)
