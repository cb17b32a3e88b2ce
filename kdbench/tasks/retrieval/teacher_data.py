"""The training data of a teacher: a dataset without its test split, and access to the training loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from numpy.typing import NDArray

from kdbench.contracts import Distillation, Encoder, Split, Student, Task
from kdbench.contracts.encoder import keys_of
from kdbench.data.dataset import CachedDataset
from kdbench.errors import PluginError
from kdbench.training.fit import fit


class DatasetTeacherData:
    """Implements `TeacherData` without exposing the dataset itself, which has a test split."""

    def __init__(self, task: Task, dataset: CachedDataset) -> None:
        self._task = task
        self._dataset = dataset
        self.device = dataset.device
        self.size = dataset.source.size

    def split(self, name: Literal["train", "validation"]) -> Split:
        return self._dataset.split(_visible(name))

    def encode(self, encoder: Encoder, split: Literal["train", "validation"]) -> NDArray[Any]:
        return self._dataset.encode(encoder, _visible(split))

    def fit(
        self, key: str, build: Callable[[], Student], recipe: dict[str, Any], distillation: Distillation | None = None
    ) -> Student:
        return fit(self._task, self._dataset, key, build, recipe, _inputs, distillation)


def _inputs(student: Student) -> list[list[str]]:
    """The keys of what a student reads."""
    return [keys_of(student.images), keys_of(student.texts)]


def _visible(split: Any) -> Any:
    if split not in ("train", "validation"):
        raise PluginError(f"a teacher asked for the {split!r} split; it may see 'train' and 'validation'")
    return split
