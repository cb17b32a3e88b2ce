"""A task: everything that is particular to one kind of problem. Nothing outside `kdbench.tasks` knows what a sample is.

The training loop, records, statistics, reports and the conformance kit see a task through this class alone. A third
party's task subclasses it, is offered by the hook `kdbench_tasks`, and is named by its datasets (`Offer.task`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from kdbench.contracts.dataset import SplitName
from kdbench.contracts.metric import Metric
from kdbench.contracts.values import Owned
from kdbench.errors import PluginError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    from kdbench.contracts.values import Arrays

Report = Callable[[str, int, int], None]  # stage, done, total


class World(Protocol):
    """The processes that share a run. One process alone exchanges nothing."""

    @property
    def first(self) -> bool:
        """Whether this process is rank 0."""
        ...

    @property
    def size(self) -> int: ...

    def read(self, total: int) -> slice:
        """The rows of `total` that this process encodes."""
        ...

    def gather(self, values: Tensor, total: int) -> Tensor:
        """All processes' rows [total, …] of the rows that each has read."""
        ...

    def agree_on_buffers(self, module: Owned) -> None:
        """Gives all processes rank 0's buffers, such as running statistics."""
        ...


class Outputs(Protocol):
    """What a model returns for a batch, as losses and objectives read it."""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """[B, …] each. Gradients per teacher are taken at the student's, flattened and concatenated in this order."""
        ...

    @property
    def learned(self) -> tuple[Tensor, ...]:
        """Further learned tensors that losses read, such as a logit scale; may be empty."""
        ...


@dataclass(frozen=True)
class TensorOutputs:
    """Implements `Outputs` for tasks that need no names for their tensors."""

    tensors: tuple[Tensor, ...]
    learned: tuple[Tensor, ...] = ()


class Batch(Protocol):
    """Which samples a step sees, and when."""

    @property
    def progress(self) -> float:
        """Part of the training done, 0 to 1."""
        ...

    def __len__(self) -> int:
        """B, over all processes."""
        ...


class Feed(Protocol):
    """The batches of a training, a pure function of data, seed and step: the same for every strategy."""

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch."""
        ...

    def batch(self, step: int) -> Owned:
        """The whole batch (`Batch`) at a step counted from 0 over all epochs, on the training device."""
        ...

    def inputs(self, step: int) -> Sequence[Tensor]:
        """What the student reads in this process at that step, on the training device."""
        ...


class TeacherOutputs(Protocol):
    """A teacher's stored outputs on the train split."""

    @property
    def width(self) -> int:
        """Its width as `Objective.head` receives it."""
        ...

    def outputs(self, batch: Owned, device: str) -> Owned:
        """Its `Outputs` of a batch, detached."""
        ...


class Data(Protocol):
    """A dataset opened for a run."""

    @property
    def digest(self) -> str:
        """A hash of everything in it, as decoded."""
        ...

    @property
    def licence(self) -> str: ...

    @property
    def encodings(self) -> Mapping[str, float]:
        """Seconds that each derived entry it has opened took to make, by a key that runs share."""
        ...


@dataclass(frozen=True)
class FeedSettings:
    """How a train split is fed: `share(total)` gives the rows of a batch that this process reads."""

    batch_size: int
    epochs: int
    seed: int
    device: str
    share: Callable[[int], slice]


@dataclass(frozen=True)
class Contributions:
    """Metric name → [S, U], for S seeds and U test units, in shown units; the mean over units is the metric, exactly.

    `note` says what was assumed about the units, empty if nothing.
    """

    values: Mapping[str, NDArray[np.float64]]
    note: str = ""


@dataclass(frozen=True)
class Queries:
    """A stored array with one figure for each test query: two models are compared query by query with it.

    `array` is its name among those of `Task.evaluate`, `label` names these queries together, `query` one of them, and
    `figure` says what the values are. Changes are ratios if `ratio`, as for ranks, otherwise differences.
    """

    array: str
    label: str
    query: str
    figure: str
    higher_is_better: bool = False
    ratio: bool = False
    units: str = ""  # the entry of `Task.units` that belongs to it, if it is not called like the array


@dataclass(frozen=True)
class Part:
    """One part of a student whose parameters, FLOPs and latency are measured, such as a tower.

    `inputs` [n, …] is what it reads, on the CPU; `call(module, inputs)` runs it on the student's finalized module.
    """

    name: str
    inputs: Tensor
    call: Callable[[Module, Tensor], Tensor]


class WithoutTest:
    """Data whose test split cannot be reached: `split("test")` raises AssertionError."""

    def __init__(self, data: Owned) -> None:
        self._data = data

    def split(self, name: SplitName) -> Owned:
        if name not in ("train", "validation"):
            raise AssertionError(f"a trial asked for the {name!r} split; tuning sees train and validation")
        return self._data.split(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)


class Task(ABC):
    """Subclass this for a task. Constructor arguments are settings that a suite gives in its `evaluate:` block.

    Arrays stored per test unit are maps of names to numpy arrays whose first axis counts queries or units.
    """

    name: ClassVar[str]
    # The module that `kdbench conform` tries plugins of this task by: `FIND` maps kinds to functions (build, waives) that
    # return findings, and `EXAMPLES` holds builders of a small `dataset` and `student` that the task itself is tried with.
    conformance: ClassVar[str] = ""
    values_per_unit: ClassVar[int] = 1  # the most that a stored array holds of one query or unit; larger files are refused

    # What is measured

    @property
    @abstractmethod
    def metrics(self) -> Sequence[Metric]:
        """All metrics, in the order of columns; exactly one is the headline."""

    @property
    def headline(self) -> Metric:
        """The metric that selects and ranks."""
        return next(metric for metric in self.metrics if metric.headline)

    def metric(self, name: str) -> Metric:
        """The metric of that name. Raises KeyError."""
        return {metric.name: metric for metric in self.metrics}[name]

    # Data

    def misfits(self, dataset: Owned, batch_size: int) -> Iterator[tuple[str, object, str]]:
        """Settings that do not fit a dataset's splits: (path in a suite, found, expected). Reads indices only.

        Paths are those of a suite file, such as `train.batch_size`; `{dataset}` in what is expected becomes its label.
        """
        return iter(())

    def open(self, dataset: Owned, cache: Owned, device: str, report: Report) -> Owned:
        """The dataset as runs see it (`Data`): decoded, encoded, cached. By default it is `Data` itself."""
        return dataset

    def without_test(self, data: Owned) -> Owned:
        """The same data with a test split that cannot be reached: what tuning sees. Data have a method `split`."""
        return WithoutTest(data)

    @abstractmethod
    def encode(self, data: Owned, student: Owned, split: SplitName) -> Owned:
        """A split as the student reads it."""

    @abstractmethod
    def teach(self, data: Owned, teacher: Owned) -> TeacherOutputs:
        """Runs a teacher over the train split; a teacher that prepares itself sees train and validation only."""

    # Training

    @abstractmethod
    def feed(self, encoded: Owned, settings: FeedSettings) -> Feed:
        """The batches of an encoded train split."""

    def width(self, student: Owned) -> int:
        """The student's width as `Objective.head` receives it."""
        return int(student.width)

    def forward(self, student: Owned, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The student's output tensors with their graph, then whatever its auxiliary loss reads.

        By default its module is called with the inputs and returns one tensor.
        """
        return [student.module(*inputs)]

    def outputs(self, student: Owned, tensors: Sequence[Tensor]) -> Owned:
        """`Outputs` of (copies of) what `forward` returned; by default all of it are output tensors."""
        return TensorOutputs(tuple(tensors))

    @abstractmethod
    def losses(self, outputs: Owned, batch: Owned) -> Tensor:
        """The loss against the truth of each sample, [B], of a student's or a teacher's outputs."""

    def distributions(self, outputs: Owned) -> Tensor:
        """Each sample's distribution over candidates, [B, C], rows summing to 1. Raises PluginError if the task has none."""
        raise PluginError(f"the task {self.name!r} has no distribution over candidates; use another strategy")

    def after_step(self, student: Owned) -> None:
        """Keeps the student within bounds after an optimizer step. Does nothing by default."""

    # Evaluation

    @abstractmethod
    def evaluate(self, student: Owned, encoded: Owned, batch_size: int, device: str, world: World) -> Arrays:
        """Arrays to store, of a student in eval mode, without gradients. Raises Diverged if its outputs are not finite.

        In a `world` of several ranks each may compute a share of the outputs, but must `gather` in the same order; the
        first rank's arrays are used.
        """

    def evaluate_teacher(self, teacher: Owned, data: Owned, split: SplitName) -> Arrays:
        """The same of a teacher itself. Raises PluginError if the task cannot."""
        raise PluginError(f"the task {self.name!r} does not evaluate teachers; leave `references:` out")

    def measure(self, arrays: Arrays) -> dict[str, float]:
        """Metric name → raw value, of one evaluation's arrays. By default the mean over the array of the metric's name."""
        return {metric.name: float(arrays[metric.name].mean()) for metric in self.metrics}

    def result_file(self, dataset: str, model: str, weights: str, metrics: Mapping[str, float]) -> dict[str, Any]:
        """What `kdbench evaluate --out` writes of a model, as JSON values, in a form that tools of the field read."""
        return {"task": self.name, "dataset": dataset, "model": model, "pretrained": weights, "metrics": dict(metrics)}

    def sizes(self, data: Owned) -> dict[str, int]:
        """How much the test split holds, by what. The first is what a larger test split would be counted in."""
        return {"samples": len(data.split("test"))}

    def units(self, data: Owned) -> dict[str, NDArray[np.int64]]:
        """Which test unit each query belongs to, by array name or `Queries.units`; {} if every entry is one."""
        return {}

    def contributions(
        self,
        arrays: Arrays,
        sizes: Mapping[str, int],
        units: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> Contributions:
        """Of arrays stacked over seeds, [S, …] each."""
        return Contributions({metric.name: metric.scale * arrays[metric.name] for metric in self.metrics})

    @property
    def queries(self) -> Sequence[Queries]:
        """Arrays to compare query by query. By default those of shown metrics, which `measure` takes the mean of."""
        return [
            Queries(metric.name, metric.label, "unit", metric.label, metric.higher_is_better)
            for metric in self.metrics
            if metric.shown
        ]

    def problems(self, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        """What is wrong with stored arrays of finite numbers: (what, found, expected)."""
        for metric in self.metrics:
            found = arrays.get(metric.name)
            if found is None:
                yield f"array {metric.name}", "nothing", "one value a unit"
            elif found.ndim != 1 or len(found) not in sizes.values():
                expected = f"one value a unit, of {dict(sizes)} by the record's sizes"
                yield f"array {metric.name}", f"shape {list(found.shape)}", expected

    def unit_problems(self, units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        """What is wrong with stored test units, rows of whole numbers: (what, found, expected)."""
        return iter(())

    def record_problems(self, metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        """What is wrong with a record's figures beyond names and ranges: (what, found, expected). Either map may be empty."""
        return iter(())

    # Cost

    searches: ClassVar[bool] = False  # whether a query is compared with a gallery of embeddings, which then is timed as well

    def gallery(self, sizes: Mapping[str, int]) -> int:
        """How many embeddings a query of a task that searches is compared with, of a test split's `sizes`.

        Raises KeyError where they do not say.
        """
        raise PluginError(f"the task {self.name!r} searches; it must implement gallery()")

    def samples(self, data: Owned) -> dict[str, Any]:
        """What `parts` needs to draw inputs like those of a dataset, as JSON values; training data only."""
        return {}

    def parts(self, student: Owned, samples: Mapping[str, Any], count: int) -> Sequence[Part]:
        """What is measured of a student, each part with `count` inputs; nothing by default."""
        return ()
