"""A task: everything specific to one kind of problem. No other code knows what a sample is.

The training loop, records, statistics, reports and the conformance kit use a task only through the class `Task`. A third
party subclasses it, offers the subclass by the hook `kdbench_tasks`, and names it in its datasets (`Offer.task`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from kdbench.contracts.dataset import SplitName
from kdbench.contracts.metric import Metric
from kdbench.contracts.values import Owned
from kdbench.errors import PluginError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    from kdbench.contracts.internals import Internals
    from kdbench.contracts.shown import Shown
    from kdbench.contracts.values import Arrays

Report = Callable[[str, int, int], None]  # stage, done, total
EVALUATED: tuple[SplitName, ...] = ("validation", "test")


class World(Protocol):
    """The processes of a distributed run. A single process exchanges nothing."""

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
        """The rows of all processes, [total, …], in order; `values` holds those that this process has encoded."""
        ...

    def agree_on_buffers(self, module: Owned) -> None:
        """Copies rank 0's buffers, such as running statistics, to all processes."""
        ...


class Outputs(Protocol):
    """A model's outputs for a batch, as losses and objectives read them.

    The optional field `internals` of a dataclass, by default {}, holds what objectives read beside outputs, by name
    (`kdbench.contracts.internals`). Outputs without it serve all objectives but those.
    """

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors [B, …]. Gradients per teacher are taken at the student's, flattened and concatenated in this order."""
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
    internals: Internals = field(default_factory=dict)


class Batch(Protocol):
    """The samples of one step."""

    @property
    def progress(self) -> float:
        """Fraction of the training done, or of its stage if it has several, 0 to 1."""
        ...

    def __len__(self) -> int:
        """The batch size B over all processes."""
        ...


class Feed(Protocol):
    """The batches of a training: a function of data, seed and step alone, hence the same for every strategy."""

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch."""
        ...

    def batch(self, step: int) -> Owned:
        """The whole batch (`Batch`) at a step counted from 0 over all epochs, on the training device."""
        ...

    def inputs(self, step: int) -> Sequence[Tensor]:
        """The student's inputs in this process at that step, on the training device."""
        ...


class TeacherOutputs(Protocol):
    """A teacher's stored outputs on the train split.

    An attribute `key`, a text that is equal for equal outputs, lets a teacher teach another one before the runs.

    Outputs that are computed in every step may have a method `begin(device)`, called once, before the first step; it may draw
    from torch's global generator, which the core seeds. Those of a teacher that moves are `MovingOutputs`.

    Outputs with a method `exposing(names) -> TeacherOutputs` can hold internals, too: what it returns gives the same outputs,
    with those internals. It is called only if an objective reads them.
    """

    @property
    def width(self) -> int:
        """The teacher's width, as passed to `Objective.head`."""
        ...

    def outputs(self, batch: Owned, device: str) -> Owned:
        """The teacher's `Outputs` for a batch, detached."""
        ...


class MovingOutputs(TeacherOutputs, Protocol):
    """Outputs of a teacher that learns beside the student of one run. What it has learned is part of the run's checkpoint."""

    def step(self, student: Owned, batch: Owned, device: str) -> None:
        """Learns from the student's `Outputs` for a batch, detached, which are those before the student's own step.

        In a distributed run every rank calls it with the outputs for the whole batch, and learns the same.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers, strings, lists and dicts."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Data(Protocol):
    """A dataset opened for a run."""

    @property
    def digest(self) -> str:
        """A hash of the decoded contents."""
        ...

    @property
    def licence(self) -> str: ...

    @property
    def encodings(self) -> Mapping[str, float]:
        """Seconds that computing each opened cache entry took, by a key that is equal in all runs using the entry."""
        ...


@dataclass(frozen=True)
class FeedSettings:
    """How a train split is fed. `share(total)` returns the rows of a batch of `total` that this process reads.

    In a training of several stages each has its own feed: of `epochs` epochs, `before` epochs after the first of all. Steps are
    counted over all stages; `Batch.progress` is the stage's.
    """

    batch_size: int
    epochs: int
    seed: int
    device: str
    share: Callable[[int], slice]
    before: int = 0


@dataclass(frozen=True)
class Contributions:
    """What each seed and test unit contributes to each metric.

    `values` maps metric names to [S, U], for S seeds and U test units, in shown units; the mean over units equals the metric
    exactly. `note` states what was assumed about the units, empty if nothing.
    """

    values: Mapping[str, NDArray[np.float64]]
    note: str = ""


@dataclass(frozen=True)
class Queries:
    """A stored array with one value per test query, by which two models are compared query by query.

    `array` is its name in `Task.evaluate`, `label` names the queries (plural), `query` a single one, and `figure` the values.
    With `ratio`, changes are ratios, as for retrieval ranks, otherwise differences. Values are shown times `scale`, in the
    unit that `figure` names.
    """

    array: str
    label: str
    query: str
    figure: str
    higher_is_better: bool = False
    ratio: bool = False
    units: str = ""  # the entry of `Task.units` for these queries, if it has another name than the array
    scale: float = 1.0

    def text(self, value: float) -> str:
        """A value as it is shown."""
        return f"{self.scale * value:g}"


@dataclass(frozen=True)
class Part:
    """One part of a student whose parameters, FLOPs and latency are measured, such as a tower.

    `inputs` [n, …] are its inputs, on the CPU; `call(module, inputs)` runs it on the student's finalized module.
    """

    name: str
    inputs: Tensor
    call: Callable[[Module, Tensor], Tensor]


class WithoutTest:
    """Data without access to the test split: `split("test")` raises AssertionError."""

    def __init__(self, data: Owned) -> None:
        self._data = data

    def split(self, name: SplitName) -> Owned:
        if name not in ("train", "validation"):
            raise AssertionError(f"a trial asked for the {name!r} split; tuning sees train and validation")
        return self._data.split(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)


class Task(ABC):
    """Base class of tasks. Constructor arguments are settings, given in a suite's `evaluate:` block.

    Stored arrays are maps of names to numpy arrays whose first axis counts queries or test units.
    """

    name: ClassVar[str]
    # The module with which `kdbench conform` checks plugins of this task: `FIND` maps kinds to functions (build, waives) that
    # return findings, and `EXAMPLES` holds builders of a small `dataset` and `student` to check the task itself with.
    conformance: ClassVar[str] = ""
    values_per_unit: int = 1  # most values that a stored array has per query or unit; larger files are refused

    # What is measured

    @property
    @abstractmethod
    def metrics(self) -> Sequence[Metric]:
        """All metrics, in the order of columns; exactly one is the headline."""

    @property
    def headline(self) -> Metric:
        """The metric by which validation selects and tables are sorted."""
        return next(metric for metric in self.metrics if metric.headline)

    def metric(self, name: str) -> Metric:
        """The metric of that name. Raises KeyError."""
        return {metric.name: metric for metric in self.metrics}[name]

    # Data

    def misfits(
        self, dataset: Owned, batch_size: int | None, splits: Sequence[SplitName] = EVALUATED
    ) -> Iterator[tuple[str, object, str]]:
        """Yields settings that do not fit a dataset's splits: (path, found, expected). Reads indices only.

        `splits` are those that are evaluated; `batch_size` is that of training, None if nothing is trained. Paths are those of
        a suite file, such as `train.batch_size`; `{dataset}` in `expected` is replaced by its label.
        """
        return iter(())

    def plugin_misfits(
        self, dataset: Owned, kind: Literal["teacher", "student"], build: Callable[[], Owned]
    ) -> Iterator[tuple[str, object, str]]:
        """Yields properties of a student or teacher that do not fit a dataset: (name, found, expected).

        A suite is checked so before anything is read or trained. `build` makes the plugin, which takes time: a task that
        compares nothing does not call it. By default it compares nothing.
        """
        return iter(())

    def data_problems(self, dataset: Owned) -> Iterator[tuple[str, str, str]]:
        """Yields errors in a dataset's attributes and indices: (where, found, expected), such as a test image without caption.

        Reads no pixels. Whatever follows from an error already yielded may be left out.
        """
        return iter(())

    def open(self, dataset: Owned, cache: Owned, device: str, report: Report) -> Owned:
        """The dataset as runs use it: decoded, encoded, cached. By default the dataset itself, which then implements `Data`."""
        return dataset

    def check_data(self, dataset: Owned, report: Report, jobs: int | None) -> Owned:
        """Reads all of a dataset and stores nothing, for `kdbench data check`; returns a `kdbench.data.prepare.DataReport`.

        `jobs` is a number of threads, None for one per core.
        """
        raise PluginError(f"the task {self.name!r} does not check data")

    def store(self, dataset: Owned, cache: Owned, report: Report, jobs: int | None) -> tuple[Owned, str]:
        """Stores what runs read of a dataset, for `kdbench data prepare`; returns its cache entry and digest."""
        raise PluginError(f"the task {self.name!r} stores no dataset")

    views: ClassVar[bool] = False  # whether the task has augmented views (`train.views`), and so `viewed`

    def viewed(self, data: Owned, views: Owned) -> Owned:
        """The data, whose train split a student sees in augmented views: `encode` and `teach` are then of these."""
        raise PluginError(f"the task {self.name!r} has no augmented views; leave `train.views` out")

    folds: ClassVar[bool] = False  # whether the task deals datasets into folds for cross-validation (`folds:`), and so `folded`

    def folded(self, data: Owned, index: int, of: int) -> Owned:
        """Fold `index`, from 0, of `of`: the same items in other splits, each tested in exactly one of the folds.

        `data` is a dataset as its plugin gives it, of which indices alone are read, or an opened one. `digest` of the latter
        stays that of the whole dataset; what caches are keyed by names the fold. Raises KdbenchError if the dataset cannot be
        divided so.
        """
        raise PluginError(f"the task {self.name!r} deals no dataset into folds; leave `folds:` out")

    def without_test(self, data: Owned) -> Owned:
        """The data without access to the test split, for tuning. `data` must have a method `split`."""
        return WithoutTest(data)

    @abstractmethod
    def encode(self, data: Owned, student: Owned, split: SplitName) -> Owned:
        """A split as the student reads it."""

    def prepare(self, data: Owned, student: Owned) -> None:
        """Lets a student read the training data before it is trained, if it wants to. Must not read the test split."""

    @abstractmethod
    def teach(self, data: Owned, teacher: Owned) -> TeacherOutputs:
        """Computes a teacher's outputs on the train split. A teacher that trains sees train and validation data only."""

    # Training

    @abstractmethod
    def feed(self, encoded: Owned, settings: FeedSettings) -> Feed:
        """The batches of an encoded train split."""

    def width(self, student: Owned) -> int:
        """The student's width, as passed to `Objective.head`."""
        return int(student.width)

    def forward(self, student: Owned, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The student's output tensors with their graph, followed by the tensors that its auxiliary loss reads.

        By default, calls its module with the inputs and expects one tensor.
        """
        return [student.module(*inputs)]

    def outputs(self, student: Owned, tensors: Sequence[Tensor]) -> Owned:
        """Wraps (copies of) the tensors that `forward` returned in `Outputs`; by default all are output tensors."""
        return TensorOutputs(tuple(tensors))

    @abstractmethod
    def losses(self, outputs: Owned, batch: Owned) -> Tensor:
        """The task loss of each sample, [B], from a student's or a teacher's outputs."""

    loss_names: ClassVar[tuple[str, ...]] = ()  # that `train.loss` chooses among; the first is the loss of `losses`

    def train_losses(self, outputs: Owned, batch: Owned, name: str) -> Tensor:
        """The loss `name` of each sample, [B], from a student's outputs in training. Raises KdbenchError for another name."""
        raise PluginError(f"the task {self.name!r} has one loss; leave `train.loss` out")

    def distributions(self, outputs: Owned) -> Tensor:
        """Each sample's distribution over candidates, [B, C], rows summing to 1. Raises PluginError if the task has none."""
        raise PluginError(f"the task {self.name!r} has no distribution over candidates; use another strategy")

    def embeddings(self, outputs: Owned) -> Tensor:
        """The output tensors of a batch stacked, [O, B, …], for strategies that compare samples by them.

        Raises Skip if the task has none; like `distributions`, which may do so as well: the run is then recorded as skipped,
        with the reason.
        """
        import torch

        return torch.stack(list(outputs.tensors))

    # Whether samples of a batch are compared with each other, so that objectives may fuse logits of pairs. Where they are not,
    # runs of strategies that weigh pairs are not refused but skipped.
    compares: ClassVar[bool] = True

    # Whether `show` draws pictures of its test queries (`Shown.pictures`), as pages of runs then do.
    draws: ClassVar[bool] = False

    def check_plugin(self, kind: Literal["teacher", "student"], plugin: Owned) -> None:
        """Raises PluginError if a teacher or student, as built, lacks what this task uses. Checks nothing by default."""

    def refuses(self, teacher: Owned, plugin: Owned | None) -> str:
        """What an objective or a strategy lacks in a teacher, as "a text tower"; empty if they work together.

        With None, what evaluating the teacher itself lacks. Neither is prepared: `kdbench check` asks before anything is
        downloaded or trained. By default nothing is lacking.
        """
        return ""

    def check_outputs(self, student: Owned, tensors: Sequence[Tensor]) -> None:
        """Raises PluginError if what `forward` returned is not what the task expects, such as unit vectors.

        Called at the first step only, because it may wait for a GPU. Checks nothing by default.
        """

    def sample(
        self, dataset: Owned, student: Owned, teachers: Sequence[Owned]
    ) -> tuple[Owned, Sequence[TeacherOutputs]] | None:
        """A few samples of the train split as the student reads them, and made-up outputs of teachers for them.

        With these, kdbench tries a run's student, objective and strategy for a step before teachers are computed. `dataset`
        is not opened, and only a few samples of it may be read; `teachers` are not prepared. Outputs of the first are of the
        student's width. None, the default, tries nothing.
        """
        return None

    def after_step(self, student: Owned) -> None:
        """Called after each optimizer step, such as to clamp a parameter. Does nothing by default."""

    # Evaluation

    @abstractmethod
    def evaluate(self, student: Owned, encoded: Owned, batch_size: int, device: str, world: World) -> Arrays:
        """Evaluates a student, in eval mode and without gradients; returns the arrays to store.

        In a `world` of several ranks, each rank may compute part of the outputs, but all must call `gather` in the same
        order; rank 0's arrays are used. Raises Diverged if the outputs are not finite.
        """

    def evaluate_teacher(self, teacher: Owned, data: Owned, split: SplitName, prepared: Owned | None = None) -> Arrays:
        """Evaluates a teacher itself; returns the same arrays. Raises PluginError if the task cannot.

        A teacher that trains does so on training data of `prepared`, another dataset, by default on those of `data`. Called
        with `prepared` only for a dataset in `evaluate.also`.
        """
        raise PluginError(f"the task {self.name!r} does not evaluate teachers; leave `references:` out")

    def measure(self, arrays: Arrays) -> dict[str, float]:
        """Metric name → raw value, from one evaluation's arrays. By default the mean of the array with the metric's name."""
        return {metric.name: float(arrays[metric.name].mean()) for metric in self.metrics}

    def result_file(self, dataset: str, model: str, weights: str, metrics: Mapping[str, float]) -> dict[str, Any]:
        """The JSON values that `kdbench evaluate --out` writes for a model; a task may use a form that other tools read."""
        return {"task": self.name, "dataset": dataset, "model": model, "pretrained": weights, "metrics": dict(metrics)}

    def sizes(self, data: Owned) -> dict[str, int]:
        """Sizes of the test split by name. The first is the one that power estimates vary."""
        return {"samples": len(data.split("test"))}

    def units(self, data: Owned) -> dict[str, NDArray[np.int64]]:
        """The test unit of each query, by array name or `Queries.units`; {} if every entry is its own unit."""
        return {}

    def contributions(
        self,
        arrays: Arrays,
        sizes: Mapping[str, int],
        units: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> Contributions:
        """Contributions from arrays that are stacked over seeds, [S, …] each."""
        return Contributions({metric.name: metric.scale * arrays[metric.name] for metric in self.metrics})

    @property
    def queries(self) -> Sequence[Queries]:
        """Arrays to compare query by query. By default one per shown metric, named like the metric."""
        return [
            Queries(metric.name, metric.label, "unit", metric.head, metric.higher_is_better, scale=metric.scale)
            for metric in self.metrics
            if metric.shown
        ]

    def problems(self, arrays: Arrays, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        """Yields errors in stored arrays of finite numbers: (what, found, expected).

        By default, expects an array for each metric, and beside them those of `queries` alone.
        """
        known = {metric.name for metric in self.metrics} | {queries.array for queries in self.queries}
        yield from _unknown("array", arrays, known)
        for metric in self.metrics:
            found = arrays.get(metric.name)
            if found is None:
                yield f"array {metric.name}", "nothing", "one value a unit"
            elif found.ndim != 1 or len(found) not in sizes.values():
                expected = f"one value a unit, of {dict(sizes)} by the record's sizes"
                yield f"array {metric.name}", f"shape {list(found.shape)}", expected

    def unit_problems(self, units: Mapping[str, NDArray[np.int64]], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        """Yields errors in stored test units, which are one-dimensional integer arrays: (what, found, expected).

        By default, expects units of `queries` and of metrics alone.
        """
        known = {metric.name for metric in self.metrics}
        known |= {name for queries in self.queries for name in (queries.array, queries.units) if name}
        yield from _unknown("units", units, known)

    def record_problems(self, metrics: Mapping[str, float], sizes: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        """Yields errors in a record's metrics and sizes beyond names and ranges: (what, found, expected). Maps may be empty."""
        return iter(())

    # For a person

    def show(self, data: Owned) -> Shown | None:
        """The test split in words and pictures; None, the default, if the task has nothing to show.

        `data` may be a dataset that was not opened: models then have no outputs on it.
        """
        return None

    # Cost

    searches: ClassVar[bool] = False  # whether a query is compared with a gallery of embeddings; profiles then time the search

    def gallery(self, sizes: Mapping[str, int]) -> int:
        """The number of embeddings that a query is compared with, from a test split's `sizes`; only for tasks that search.

        Raises KeyError if `sizes` does not have it.
        """
        raise PluginError(f"the task {self.name!r} searches; it must implement gallery()")

    def samples(self, data: Owned) -> dict[str, Any]:
        """JSON values from which `parts` draws inputs like those of the dataset; reads training data only."""
        return {}

    def parts(self, student: Owned, samples: Mapping[str, Any], count: int) -> Sequence[Part]:
        """The parts of a student to measure, each with `count` inputs; none by default."""
        return ()


def _unknown(what: str, found: Iterable[str], known: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yields stored names that nothing reads: a record does not vouch for them."""
    for name in sorted(set(found) - known):
        yield f"{what} {name}", "an array that nothing reads", f"one of {', '.join(sorted(known))}"
