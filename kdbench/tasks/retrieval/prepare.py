"""Lets a student read its training data before it is trained."""

from __future__ import annotations

from typing import Any

import torch

from kdbench.contracts import Student, Task
from kdbench.data.dataset import CachedDataset
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData


def prepare(task: Task, data: CachedDataset, student: Student) -> None:
    """Calls the student's `prepare`, if it has one, with the train and validation splits, without views.

    Random numbers that it draws, which depend on what is cached, do not change those of the training.
    """
    give: Any = getattr(student, "prepare", None)
    if give is not None:
        with torch.random.fork_rng():
            give(DatasetTeacherData(task, data.viewed(None)))
