"""The task `compositional`. Methods import torch and other heavy modules themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kdbench.contracts import Contributions, Dataset, SplitName, Student, Teacher, World
from kdbench.contracts.task import Queries
from kdbench.errors import KdbenchError
from kdbench.tasks.compositional.metrics import TASK, metrics
from kdbench.tasks.evaluated_alone import EvaluatedAlone
from kdbench.tasks.retrieval.task import Retrieval
from kdbench.tasks.zero_shot.metrics import clip_benchmark_result

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdbench.contracts.values import Arrays
    from kdbench.data.dataset import CachedDataset
    from kdbench.tasks.retrieval.embeddings import EncodedSplit


class Compositional(EvaluatedAlone):
    """An image with its caption and one that some change of words makes wrong, of SugarCrepe's seven kinds.

    The captions of a test split come in pairs, the right one, which has the concept of its image, before the wrong one, whose
    concept no image has; their ids begin with the kind, as in `swap_obj/17#0`. Stored of each item are whether it is answered
    rightly and its kind. Test units are images, which have several items.
    """

    name: ClassVar[str] = "compositional"
    conformance: ClassVar[str] = "kdbench.testing.compositional"

    def __init__(self) -> None:
        super().__init__()
        self._metrics = metrics()

    # Data

    def data_problems(self, dataset: Dataset) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.compositional.check_dataset import problems

        return problems(dataset)

    # Evaluation

    def evaluate(self, student: Student, encoded: EncodedSplit, batch_size: int, device: str, world: World) -> Arrays:
        from kdbench.tasks.retrieval.embeddings import student_embeddings

        images, captions = student_embeddings(student, encoded, batch_size, device, world)
        return _answers(images, captions, encoded) if world.first else {}

    def evaluate_teacher(
        self, teacher: Teacher, data: CachedDataset, split: SplitName, prepared: CachedDataset | None = None
    ) -> Arrays:
        from kdbench.tasks.retrieval.teachers import own_embeddings

        images, captions = own_embeddings(data, teacher, split, Retrieval(), prepared)
        return _answers(images, captions, data.split(split))

    def measure(self, arrays: Arrays) -> dict[str, float]:
        from kdbench.tasks.compositional.pairs import accuracies

        return accuracies(arrays["correct"], arrays["kind"])

    def result_file(self, dataset: str, model: str, weights: str, metrics: Mapping[str, float]) -> dict[str, Any]:
        return clip_benchmark_result(dataset, model, weights, dict(metrics), TASK)

    def sizes(self, data: CachedDataset) -> dict[str, int]:
        test = data.split("test")
        return {"images": len(test.image_concepts), "items": len(test.caption_concepts) // 2}

    def units(self, data: CachedDataset) -> dict[str, NDArray[np.int64]]:
        import numpy as np

        return {"items": np.array(data.split("test").caption_concepts[::2])}

    def contributions(
        self,
        arrays: Arrays,
        sizes: Mapping[str, int],
        units: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> Contributions:
        import numpy as np

        from kdbench.tasks.compositional.pairs import contributions

        correct, kinds = arrays["correct"], arrays["kind"]
        if (kinds != kinds[0]).any():
            raise KdbenchError("seeds of one dataset stored different kinds of items")
        if not units:
            note = "it is unknown which items share an image: intervals treat items as independent and may be too narrow"
            return Contributions(contributions(correct, kinds[0], np.arange(correct.shape[1])), note)
        if len(units["items"]) != sizes["items"]:
            raise KdbenchError(f"units of {len(units['items'])} items given, the records have {sizes['items']}")
        positions = np.unique(units["items"], return_inverse=True)[1]
        return Contributions(contributions(correct, kinds[0], positions))

    @property
    def queries(self) -> Sequence[Queries]:
        return (Queries("correct", "items", "item", "answer, 1 if right", higher_is_better=True),)

    def problems(self, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.compositional.check_arrays import problems

        return problems(arrays, sizes)

    def unit_problems(self, units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.compositional.check_arrays import unit_problems

        return unit_problems(units, sizes)

    def record_problems(self, metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:  # noqa: ARG002
        from kdbench.tasks.compositional.check_arrays import record_problems

        return record_problems(sizes)

    # Cost

    searches: ClassVar[bool] = False  # two captions are no gallery


def _answers(images: NDArray[Any], captions: NDArray[Any], split: Any) -> Arrays:
    """Of each item whether it is answered rightly, and its kind; `split` has concepts and ids."""
    import numpy as np

    from kdbench.tasks.compositional.pairs import kinds_of, right_first

    found = right_first(images, captions, split.image_concepts, split.caption_concepts)
    return {"correct": found.astype(np.int8), "kind": kinds_of(list(split.caption_ids))}
