"""The task `judged`. Methods import torch and other heavy modules themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from kdbench.contracts import Contributions, Dataset, SplitName, Student, Teacher, World
from kdbench.contracts.task import EVALUATED, Queries
from kdbench.errors import KdbenchError
from kdbench.tasks.evaluated_alone import EvaluatedAlone
from kdbench.tasks.judged.metrics import metrics
from kdbench.tasks.retrieval.task import Retrieval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kdbench.contracts.values import Arrays
    from kdbench.data.dataset import CachedDataset
    from kdbench.tasks.retrieval.embeddings import EncodedSplit


@dataclass(frozen=True)
class JudgedSplit:
    """An encoded split, and the judgments of its dataset, which are of the test split."""

    inputs: EncodedSplit
    judged: Any


class Judged(EvaluatedAlone):
    """Retrieval whose positives are judged pair by pair: a caption may fit many images, an image captions of others.

    A dataset has an attribute `judgments`: by set, `eccv_i2t`, `eccv_t2i`, `cxc_i2t` and `cxc_t2i`, some queries of the test
    split with their positives; all its images and captions are candidates. Stored are the ranks of ECCV Caption's positives,
    and of the best of CxC's. Test units are images with the captions written for them.
    """

    name: ClassVar[str] = "judged"
    conformance: ClassVar[str] = "kdbench.testing.judged"

    def __init__(self) -> None:
        from kdbench.tasks.judged.judgments import MOST_POSITIVES

        super().__init__()
        self._metrics = metrics()
        self.values_per_unit = MOST_POSITIVES

    # Data

    def misfits(
        self, dataset: Dataset, batch_size: int | None, splits: Sequence[SplitName] = EVALUATED
    ) -> Iterator[tuple[str, object, str]]:
        if batch_size is not None:
            expected = "a dataset to train on; {dataset} has judgments of a test split alone: name it in `evaluate.also`"
            yield "datasets", "no train split", expected
        else:
            yield from super().misfits(dataset, None, splits)

    def data_problems(self, dataset: Dataset) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.judged.judgments import problems
        from kdbench.tasks.retrieval.check_dataset import problems as of_split

        wrong = list(of_split(dataset, ("test",)))
        yield from wrong
        if not wrong:
            test = dataset.split("test")
            yield from problems(getattr(dataset, "judgments", None), len(test.images), len(test.captions))

    # Evaluation

    def encode(self, data: CachedDataset, student: Student, split: SplitName) -> Any:
        inputs = super().encode(data, student, split)
        return JudgedSplit(inputs, _judged(data)) if split == "test" else inputs

    def evaluate(self, student: Student, encoded: Any, batch_size: int, device: str, world: World) -> Arrays:
        from kdbench.tasks.judged.judgments import ranked
        from kdbench.tasks.retrieval.embeddings import student_embeddings

        images, captions = student_embeddings(student, encoded.inputs, batch_size, device, world)
        return {**ranked(images, captions, encoded.judged)} if world.first else {}

    def evaluate_teacher(
        self, teacher: Teacher, data: CachedDataset, split: SplitName, prepared: CachedDataset | None = None
    ) -> Arrays:
        from kdbench.tasks.judged.judgments import ranked
        from kdbench.tasks.retrieval.teachers import own_embeddings

        images, captions = own_embeddings(data, teacher, split, Retrieval(), prepared)
        return {**ranked(images, captions, _judged(data))}

    def measure(self, arrays: Arrays) -> dict[str, float]:
        from kdbench.tasks.judged.judgments import measured

        return measured(arrays)

    def result_file(self, dataset: str, model: str, weights: str, metrics: Mapping[str, float]) -> dict[str, Any]:
        return {"task": self.name, "dataset": dataset, "model": model, "pretrained": weights, "metrics": dict(metrics)}

    def sizes(self, data: CachedDataset) -> dict[str, int]:
        test = data.split("test")
        counts = {name: len(one.queries) for name, one in _judged(data).items()}
        return {"images": len(test.image_concepts), "captions": len(test.caption_concepts), **counts}

    def units(self, data: CachedDataset) -> dict[str, NDArray[np.int64]]:
        import numpy as np

        test = data.split("test")
        concepts = {"i2t": test.image_concepts, "t2i": test.caption_concepts}
        return {name: np.array(concepts[name[-3:]][one.queries]) for name, one in _judged(data).items()}

    def contributions(
        self,
        arrays: Arrays,
        sizes: Mapping[str, int],
        units: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> Contributions:
        import numpy as np

        from kdbench.tasks.judged.judgments import SETS, contributions

        if units:
            if any(len(units[name]) != sizes[name] for name in SETS):
                raise KdbenchError("units of another number of queries than the records have")
            return Contributions(contributions(arrays, units))
        ends = np.cumsum([arrays[name].shape[1] for name in SETS])
        alone = dict(zip(SETS, np.split(np.arange(ends[-1]), ends[:-1]), strict=True))
        note = "it is unknown which queries are of one image: intervals treat them as independent and may be too narrow"
        return Contributions(contributions(arrays, alone), note)

    @property
    def queries(self) -> Sequence[Queries]:
        return (
            Queries("cxc_t2i", "t2i", "caption", "rank of the best of CxC's positives", ratio=True),
            Queries("cxc_i2t", "i2t", "image", "rank of the best of CxC's positives", ratio=True),
        )

    def problems(self, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.judged.check_arrays import problems

        return problems(arrays, sizes)

    def unit_problems(self, units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.judged.check_arrays import unit_problems

        return unit_problems(units, sizes)

    def record_problems(self, metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:  # noqa: ARG002
        from kdbench.tasks.judged.check_arrays import record_problems

        return record_problems(sizes)


def _judged(data: CachedDataset) -> Mapping[str, Any]:
    """The judgments of the dataset itself: its positions are those of the split as it is stored."""
    source: Any = data.source
    found: Mapping[str, Any] = source.judgments
    return found
