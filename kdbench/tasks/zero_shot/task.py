"""The task `zero_shot`. Methods import torch and other heavy modules themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from kdbench.contracts import Contributions, Dataset, SplitName, Student, Teacher, World
from kdbench.contracts.task import EVALUATED, Queries
from kdbench.tasks.evaluated_alone import EvaluatedAlone
from kdbench.tasks.retrieval.task import K, Retrieval
from kdbench.tasks.zero_shot.metrics import PER_CLASS, clip_benchmark_result, metrics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdbench.contracts.values import Arrays
    from kdbench.data.dataset import CachedDataset
    from kdbench.tasks.retrieval.embeddings import EncodedSplit


@dataclass(frozen=True)
class ClassSplit:
    """An encoded split, and which of its classes have the same prompts (`first_alike`)."""

    inputs: EncodedSplit
    alike: NDArray[np.int64]


class ZeroShot(EvaluatedAlone):
    """Zero-shot classification with the towers of retrieval. `top` are the K of top-K.

    A dataset's concepts are its classes, and its captions their prompts: the class name in every template. Stored of each
    image are the rank of its class and its class. Of classes with the same prompts, the first comes first; other ties count
    against the model. Test units are images; classes are taken as given.
    """

    name: ClassVar[str] = "zero_shot"
    conformance: ClassVar[str] = "kdbench.testing.zero_shot"

    def __init__(
        self,
        *,
        top: Annotated[list[K], Field(min_length=1, description="The K of top-K accuracy.")] = [1, 5],  # noqa: B006
    ) -> None:
        super().__init__()
        self.top = tuple(top)
        self._metrics = metrics(self.top)

    # Data

    def misfits(
        self, dataset: Dataset, batch_size: int | None, splits: Sequence[SplitName] = EVALUATED
    ) -> Iterator[tuple[str, object, str]]:
        for position, k in enumerate(self.top):
            if k in self.top[:position]:
                yield f"evaluate.top[{position}]", k, "each K once"
        yield from self._too_large(dataset)
        yield from super().misfits(dataset, batch_size, splits)

    def _too_large(self, dataset: Dataset) -> Iterator[tuple[str, object, str]]:
        """Top-K where there are no more than K classes, so that everything is right."""
        classes = len(set(dataset.split("test").caption_concepts.tolist()))
        for position, k in enumerate(self.top):
            if classes and k >= classes:
                yield f"evaluate.top[{position}]", k, f"less than {classes}, the classes of {{dataset}}"

    def data_problems(self, dataset: Dataset) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.retrieval.check_dataset import problems

        return problems(dataset, ("test",))

    # Evaluation

    def encode(self, data: CachedDataset, student: Student, split: SplitName) -> Any:
        from kdbench.tasks.zero_shot.class_vectors import first_alike

        inputs = super().encode(data, student, split)
        if split == "train":
            return inputs
        seen = data.split(split)
        return ClassSplit(inputs, first_alike(seen.captions, seen.caption_concepts))

    def evaluate(self, student: Student, encoded: Any, batch_size: int, device: str, world: World) -> Arrays:
        from kdbench.tasks.retrieval.embeddings import student_embeddings
        from kdbench.tasks.zero_shot.class_vectors import classified

        inputs = encoded.inputs
        images, prompts = student_embeddings(student, inputs, batch_size, device, world)
        if not world.first:
            return {}
        return {**classified(images, prompts, inputs.image_concepts, inputs.caption_concepts, encoded.alike)}

    def evaluate_teacher(
        self, teacher: Teacher, data: CachedDataset, split: SplitName, prepared: CachedDataset | None = None
    ) -> Arrays:
        from kdbench.tasks.retrieval.teachers import own_embeddings
        from kdbench.tasks.zero_shot.class_vectors import classified, first_alike

        seen = data.split(split)
        images, prompts = own_embeddings(data, teacher, split, Retrieval(), prepared)
        alike = first_alike(seen.captions, seen.caption_concepts)
        return {**classified(images, prompts, seen.image_concepts, seen.caption_concepts, alike)}

    def measure(self, arrays: Arrays) -> dict[str, float]:
        from kdbench.tasks.zero_shot.class_vectors import class_shares, top

        found = {f"acc{k}": top(arrays["rank"], k) for k in self.top}
        return found | {PER_CLASS: float((class_shares(arrays["class"]) * (arrays["rank"] == 1)).mean())}

    def result_file(self, dataset: str, model: str, weights: str, metrics: Mapping[str, float]) -> dict[str, Any]:
        return clip_benchmark_result(dataset, model, weights, dict(metrics))

    def sizes(self, data: CachedDataset) -> dict[str, int]:
        test = data.split("test")
        return {"images": len(test.images), "classes": len(set(test.caption_concepts.tolist()))}

    def units(self, data: CachedDataset) -> dict[str, NDArray[np.int64]]:  # noqa: ARG002
        return {}

    def contributions(
        self,
        arrays: Arrays,
        sizes: Mapping[str, int],  # noqa: ARG002
        units: Mapping[str, NDArray[np.int64]] | None = None,  # noqa: ARG002
    ) -> Contributions:
        import numpy as np

        from kdbench.tasks.zero_shot.class_vectors import class_shares

        ranks = arrays["rank"]
        found = {f"acc{k}": 100.0 * (ranks <= k) for k in self.top}
        shares = np.stack([class_shares(classes) for classes in arrays["class"]])
        return Contributions(found | {PER_CLASS: 100.0 * shares * (ranks == 1)})

    @property
    def queries(self) -> Sequence[Queries]:
        return (Queries("rank", "images", "image", "rank of the class", ratio=True),)

    def problems(self, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.zero_shot.check_arrays import problems

        return problems(arrays, sizes)

    def unit_problems(self, units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:  # noqa: ARG002
        if units:
            yield "units", ", ".join(sorted(units)), "none: every image is its own"

    def record_problems(self, metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:  # noqa: ARG002
        if sizes and (set(sizes) != {"images", "classes"} or sizes["classes"] < 2):
            yield "sizes of the test split", repr(dict(sizes)), "images and at least 2 classes"

    # Cost

    def gallery(self, sizes: Mapping[str, int]) -> int:
        return sizes["classes"]
