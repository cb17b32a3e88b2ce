"""The task `retrieval`. Methods import torch and other heavy modules themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from kdbench.contracts import (
    Batch,
    Contributions,
    Dataset,
    Feed,
    FeedSettings,
    Metric,
    Pairs,
    Part,
    SplitName,
    Student,
    Task,
    Teacher,
    TeacherOutputs,
    World,
)
from kdbench.contracts.task import EVALUATED, Queries, Report
from kdbench.errors import KdbenchError
from kdbench.tasks.retrieval.metrics import Primary, metrics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from kdbench.contracts.shown import Shown
    from kdbench.contracts.values import Arrays
    from kdbench.data.dataset import CachedDataset
    from kdbench.data.prepare import DataReport
    from kdbench.storage.cache import Cache, Entry
    from kdbench.suite.settings import Views
    from kdbench.tasks.retrieval.embeddings import EncodedSplit
    from kdbench.tasks.retrieval.units import Units

MAX_LOGIT_SCALE = math.log(100.0)  # as in CLIP (Radford et al. 2021, §2.5)
MOST_POSITIVES = 256  # of a query, whose ranks are stored: bounds the files that a reader accepts
K = Annotated[int, Field(ge=1)]


class Retrieval(Task):
    """Image-text retrieval under Karpathy's protocol, generalised to concepts. `recall_at` are the K of R@K.

    With `positives`, the ranks of all positives of a query are stored, not of the best alone, and give mAP@R and R-Precision.
    `primary` is part of the protocol: rows with another one never share a table.
    """

    name: ClassVar[str] = "retrieval"
    conformance: ClassVar[str] = "kdbench.testing.retrieval"

    def __init__(
        self,
        *,
        recall_at: Annotated[list[K], Field(min_length=1, description="The K of R@K.")] = [1, 5, 10],  # noqa: B006
        positives: Annotated[bool, Field(description="Store ranks of all positives; adds mAP@R and R-Precision.")] = False,
        primary: Annotated[
            Primary,
            Field(description="Metric that ranks rows and selects epochs: rsum, or log_rank, which sees smaller differences."),
        ] = "rsum",
    ) -> None:
        self.recall_at, self.positives = tuple(recall_at), positives
        self.values_per_unit = MOST_POSITIVES if positives else 1
        self._metrics = metrics(self.recall_at, positives, primary)
        self._last_units: tuple[dict[str, int], Mapping[str, NDArray[np.int64]] | None, Units] | None = None

    @property
    def metrics(self) -> Sequence[Metric]:
        return self._metrics

    # Data

    def misfits(
        self, dataset: Dataset, batch_size: int | None, splits: Sequence[SplitName] = EVALUATED
    ) -> Iterator[tuple[str, object, str]]:
        limits = {name: min(len(split.images), len(split.captions)) for name in splits for split in [dataset.split(name)]}
        for position, k in enumerate(self.recall_at):
            path = f"evaluate.recall_at[{position}]"
            if k in self.recall_at[:position]:
                yield path, k, "each K once"
            for name, limit in limits.items():
                if k > limit:
                    yield path, k, f"at most {limit}, the candidates in {{dataset}}'s {name} split"
        if self.positives:
            from kdbench.tasks.retrieval.positives import most_positives

            for split in map(dataset.split, splits):
                sides = split.image_concepts, split.caption_concepts
                if (most := max(most_positives(*sides), most_positives(*sides[::-1]))) > MOST_POSITIVES:
                    expected = f"false: a query of {{dataset}} has {most} positives, at most {MOST_POSITIVES} are stored"
                    yield "evaluate.positives", True, expected
        if batch_size is not None and batch_size > (images := len(dataset.split("train").images)):
            yield "train.batch_size", batch_size, f"at most {images}, the images in {{dataset}}'s train split"

    def data_problems(self, dataset: Dataset) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.retrieval.check_dataset import problems

        return problems(dataset)

    def open(self, dataset: Dataset, cache: Cache, device: str, report: Report) -> CachedDataset:
        from kdbench.data.dataset import CachedDataset

        return CachedDataset(dataset, cache, device, report)

    def check_data(self, dataset: Dataset, report: Report, jobs: int | None) -> DataReport:
        from kdbench.data.prepare import check

        return check(dataset, report, jobs)

    def store(self, dataset: Dataset, cache: Cache, report: Report, jobs: int | None) -> tuple[Entry, str]:
        from kdbench.data.prepare import prepare

        prepared = prepare(dataset, cache, jobs, report)
        return prepared.decoded, prepared.digest

    views: ClassVar[bool] = True

    def viewed(self, data: CachedDataset, views: Views) -> CachedDataset:
        return data.viewed(views)

    folds: ClassVar[bool] = True

    def folded(self, data: Dataset | CachedDataset, index: int, of: int) -> Dataset | CachedDataset:
        from kdbench.data.dataset import CachedDataset
        from kdbench.data.folded import FoldedDataset, FoldedSource

        return FoldedDataset(data, index, of) if isinstance(data, CachedDataset) else FoldedSource(data, index, of)

    def without_test(self, data: CachedDataset) -> CachedDataset:
        from kdbench.tasks.retrieval.without_test import WithoutTest

        return WithoutTest(data.source, data.cache, data.device, data.report)

    def encode(self, data: CachedDataset, student: Student, split: SplitName) -> EncodedSplit:
        from kdbench.tasks.retrieval.embeddings import encode_split

        return encode_split(data, student, split)

    def prepare(self, data: CachedDataset, student: Student) -> None:
        from kdbench.tasks.retrieval.prepare import prepare

        prepare(self, data, student)

    def teach(self, data: CachedDataset, teacher: Teacher) -> TeacherOutputs:
        from kdbench.tasks.retrieval.teachers import teach

        found: TeacherOutputs = teach(data, teacher, Retrieval())  # a teacher does not depend on the suite's K
        return found

    # Training

    def feed(self, encoded: EncodedSplit, settings: FeedSettings) -> Feed:
        from kdbench.tasks.retrieval.feed import PairFeed

        return PairFeed(encoded, settings)

    def forward(self, student: Student, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        from kdbench.tasks.retrieval.borders import checked_views

        images, texts = inputs
        module: Any = student.module
        if hasattr(module, "auxiliary_loss"):
            return checked_views(student, module.encode_views(images, texts), len(images))
        return checked_views(student, (module.encode_image(images), module.encode_text(texts)), len(images))

    def outputs(self, student: Student, tensors: Sequence[Tensor]) -> Pairs:
        module = student.module
        return Pairs(tensors[0], tensors[1], module.logit_scale.exp(), bias=getattr(module, "logit_bias", None))

    def losses(self, outputs: Pairs, batch: Batch) -> Tensor:
        from kdbench.tasks.retrieval.losses import losses_of

        return losses_of(outputs.logits, batch.same)

    loss_names: ClassVar[tuple[str, ...]] = ("clip", "siglip")

    def train_losses(self, outputs: Pairs, batch: Batch, name: str) -> Tensor:
        from kdbench.tasks.retrieval.losses import sigmoid_losses

        if name not in self.loss_names:  # of a recipe; that of a suite is checked in its file
            raise KdbenchError(f"train.loss: found {name!r}; expected {' or '.join(self.loss_names)}")
        return sigmoid_losses(outputs, batch.same) if name == "siglip" else self.losses(outputs, batch)

    def distributions(self, outputs: Pairs) -> Tensor:
        from kdbench.tasks.retrieval.losses import image_to_text_probs

        return image_to_text_probs(outputs.logits)

    def check_plugin(self, kind: Literal["teacher", "student"], plugin: object) -> None:
        from kdbench.tasks.retrieval.borders import checked_student, checked_teacher

        (checked_student if kind == "student" else checked_teacher)(plugin)

    def refuses(self, teacher: Teacher, plugin: object | None) -> str:
        from kdbench.plugins.internals import exposing_teacher, internals_read

        if names := internals_read(plugin):
            exposing = exposing_teacher(teacher)
            exposes = exposing.exposes if exposing is not None else ()
            if lacking := [name for name in names if name not in exposes]:
                return f"internals ({', '.join(lacking)})"
        lacks = getattr(teacher, "lacks", None)
        if lacks is None or getattr(plugin, "one_tower", False):
            return ""
        return "an image tower" if lacks == "image" else "a text tower"

    def check_outputs(self, student: Student, tensors: Sequence[Tensor]) -> None:
        from kdbench.tasks.retrieval.borders import checked_norms

        for embeddings, method in zip(tensors, ("encode_image", "encode_text"), strict=False):
            checked_norms(embeddings, student.module, method)

    def sample(
        self, dataset: Dataset, student: Student, teachers: Sequence[Teacher]
    ) -> tuple[EncodedSplit, Sequence[TeacherOutputs]]:
        from kdbench.tasks.retrieval.sample import sample

        return sample(dataset, student, teachers)

    def after_step(self, student: Student) -> None:
        import torch

        module: Any = student.module
        with torch.no_grad():
            module.logit_scale.clamp_(0.0, MAX_LOGIT_SCALE)
            for part in module.modules():
                if hasattr(part, "after_step"):
                    part.after_step()

    # Evaluation

    def evaluate(self, student: Student, encoded: EncodedSplit, batch_size: int, device: str, world: World) -> Arrays:
        from kdbench.tasks.retrieval.embeddings import student_embeddings
        from kdbench.tasks.retrieval.ranks import Ranks

        images, texts = student_embeddings(student, encoded, batch_size, device, world)
        if not world.first:
            return {}
        return Ranks.of(images, texts, encoded.image_concepts, encoded.caption_concepts, self.positives).arrays

    def evaluate_teacher(
        self, teacher: Teacher, data: CachedDataset, split: SplitName, prepared: CachedDataset | None = None
    ) -> Arrays:
        from kdbench.tasks.retrieval.teachers import rank_teacher

        return rank_teacher(data, teacher, split, Retrieval(), self.positives, prepared).arrays

    def measure(self, arrays: Arrays) -> dict[str, float]:
        from kdbench.tasks.retrieval.ranks import positives_metrics, retrieval_metrics

        found = retrieval_metrics(arrays["text"], arrays["image"], self.recall_at)
        return found | positives_metrics(arrays["text_positives"], arrays["image_positives"]) if self.positives else found

    def result_file(self, dataset: str, model: str, weights: str, metrics: Mapping[str, float]) -> dict[str, Any]:
        from kdbench.tasks.retrieval.clip_benchmark import clip_benchmark_result

        return clip_benchmark_result(dataset, model, weights, dict(metrics))

    def sizes(self, data: CachedDataset) -> dict[str, int]:
        test = data.split("test")
        concepts = len(set(test.image_concepts.tolist()))
        return {"images": len(test.images), "captions": len(test.captions), "concepts": concepts}

    def units(self, data: CachedDataset) -> dict[str, NDArray[np.int64]]:
        test = data.split("test")
        return {"images": test.image_concepts, "captions": test.caption_concepts}

    def contributions(
        self,
        arrays: Arrays,
        sizes: Mapping[str, int],
        units: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> Contributions:
        from kdbench.tasks.retrieval.units import contributions, positives_contributions

        found = self._units_of(sizes, units)
        values = contributions(arrays["text"], arrays["image"], found, self.recall_at)
        if self.positives:
            values |= positives_contributions(arrays["text_positives"], arrays["image_positives"], found)
        return Contributions(values, found.note)

    def _units_of(self, sizes: Mapping[str, int], units: Mapping[str, NDArray[np.int64]] | None) -> Units:
        """Those of the last call if it was of the same split: all rows of a table share theirs."""
        from kdbench.tasks.retrieval.units import units_of

        if self._last_units is None or self._last_units[0] != sizes or self._last_units[1] is not units:
            found = units_of(sizes, (units["images"], units["captions"]) if units else None)
            self._last_units = dict(sizes), units, found
        return self._last_units[2]

    @property
    def queries(self) -> Sequence[Queries]:
        return (
            Queries("image", "t2i", "caption", "retrieval rank", ratio=True, units="captions"),
            Queries("text", "i2t", "image", "retrieval rank", ratio=True, units="images"),
        )

    def problems(self, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.retrieval.check_arrays import problems

        return problems(arrays, sizes, self.positives)

    def unit_problems(self, units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.retrieval.check_arrays import unit_problems

        return unit_problems(units, sizes)

    def record_problems(self, metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        from kdbench.tasks.retrieval.check_arrays import record_problems

        return record_problems(metrics, sizes)

    # For a person

    def show(self, data: CachedDataset) -> Shown | None:
        from kdbench.tasks.retrieval.shown import ShownPairs

        return ShownPairs(data, self.queries)

    # Cost

    searches: ClassVar[bool] = True

    def gallery(self, sizes: Mapping[str, int]) -> int:
        return sizes["images"]

    def samples(self, data: CachedDataset) -> dict[str, Any]:
        return {"size": data.source.size, "captions": list(data.split("train").captions[:32])}

    def parts(self, student: Student, samples: Mapping[str, Any], count: int) -> Sequence[Part]:
        from kdbench.tasks.retrieval.parts import towers

        return towers(student, samples, count)
