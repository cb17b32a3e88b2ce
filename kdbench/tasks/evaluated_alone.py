"""The base of tasks that need no training: their datasets have a test split alone, and the towers are those of retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from kdbench.contracts import Dataset, SplitName
from kdbench.contracts.shown import Shown
from kdbench.contracts.task import EVALUATED
from kdbench.tasks.retrieval.task import Retrieval


class EvaluatedAlone(Retrieval):
    """Says where such a dataset belongs if a suite would train on it, or on which split it can be evaluated."""

    folds: ClassVar[bool] = False  # there is nothing to divide

    def misfits(
        self, dataset: Dataset, batch_size: int | None, splits: Sequence[SplitName] = EVALUATED
    ) -> Iterator[tuple[str, object, str]]:
        if batch_size is not None and not len(dataset.split("train").images):
            expected = "a dataset to train on; {dataset} has a test split alone: name it in `evaluate.also`"
            yield "datasets", "no train split", expected
        elif batch_size is not None and batch_size > (images := len(dataset.split("train").images)):
            yield "train.batch_size", batch_size, f"at most {images}, the images in {{dataset}}'s train split"
        elif batch_size is None:
            for name in splits:
                if not len(dataset.split(name).images):
                    yield "split", name, "test, the only split of {dataset}"

    def show(self, data: object) -> Shown | None:  # noqa: ARG002
        """Nothing: their queries are not those of retrieval."""
        return None
