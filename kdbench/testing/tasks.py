"""The properties of a task, tested with one of its datasets and students."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdbench.contracts.values import Owned

if TYPE_CHECKING:
    from kdbench.contracts.values import Arrays

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from kdbench.contracts import FeedSettings, Task
from kdbench.storage.cache import Cache
from kdbench.testing.findings import Broken, Finding, Property, Waives, brief, examine, insist, one_thread
from kdbench.training.distributed import ALONE
from kdbench.training.evaluation import evaluated

BATCH, EPOCHS = 8, 2
EXACT = 1e-9  # of a metric, relative to the larger of its size and 1


@dataclass(frozen=True)
class Tried:
    """A task with a dataset opened in an empty cache, and students of it."""

    build: Callable[[], Task]
    dataset: Callable[[], Owned]
    student: Callable[[], Owned]
    folder: Path

    @cached_property
    def task(self) -> Task:
        return self.build()

    @cached_property
    def data(self) -> Owned:
        return self.task.open(self.dataset(), Cache(self.folder), "cpu", lambda *_: None)

    def built(self, seed: int = 0) -> Owned:
        torch.manual_seed(seed)
        return self.student()

    def arrays(self, seed: int = 0) -> Arrays:
        """The stored arrays of an untrained student on the test split."""
        student = self.built(seed)
        return evaluated(self.task, student, self.task.encode(self.data, student, "test"), BATCH, "cpu")

    def feed(self, seed: int = 0) -> tuple[Owned, Owned]:
        student = self.built()
        encoded = self.task.encode(self.data, student, "train")
        return student, self.task.feed(encoded, FeedSettings(BATCH, EPOCHS, seed, "cpu", ALONE.read))


def one_headline(of: Tried) -> None:
    """Exactly one metric is the headline."""
    found = [metric.name for metric in of.task.metrics if metric.headline]
    if len(found) != 1:
        raise Broken(f"found the headlines {found}, expected exactly one")


def unique_names(of: Tried) -> None:
    """Names of metrics are unique, and so are their labels."""
    for what in ("name", "label"):
        twice = [name for name, count in Counter(getattr(metric, what) for metric in of.task.metrics).items() if count > 1]
        if twice:
            raise Broken(f"found {twice[0]!r} as the {what} of two metrics, expected each once")


def measured(of: Tried) -> None:
    """`measure` returns every metric as a finite number between its worst and best, the same each time."""
    arrays = of.arrays()
    found, again = of.task.measure(arrays), of.build().measure(arrays)
    if found != again:
        raise Broken(f"measured twice: found {again}, expected {found}")
    if set(found) != {metric.name for metric in of.task.metrics}:
        raise Broken(f"found the metrics {sorted(found)}, expected {sorted(metric.name for metric in of.task.metrics)}")
    for metric in of.task.metrics:
        bounds = [bound for bound in (metric.worst, metric.best) if bound is not None]
        value = found[metric.name]
        low, high = (min(bounds), max(bounds)) if len(bounds) == 2 else (-np.inf, np.inf)
        if not np.isfinite(value) or not low <= value <= high:
            raise Broken(f"{metric.name}: found {value}, expected a finite number from {low:g} to {high:g}")


def averaged(of: Tried) -> None:
    """Contributions of the test units average exactly to each seed's metrics, for several seeds, with and without units."""
    every = [of.arrays(seed) for seed in (0, 1)]
    stacked = {name: np.stack([arrays[name] for arrays in every]) for name in every[0]}
    sizes = of.task.sizes(of.data)
    for units in (None, of.task.units(of.data) or None):
        values = of.task.contributions(stacked, sizes, units).values
        for metric in of.task.metrics:
            expected = [metric.scale * of.task.measure(arrays)[metric.name] for arrays in every]
            found = values[metric.name].mean(axis=1)
            gaps = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
            if found.shape != (2,) or gaps.max() > EXACT:
                with_units = "with" if units else "without"
                raise Broken(f"{metric.name}, {with_units} units: found means {found.tolist()}, expected {expected}")


def consistent(of: Tried) -> None:
    """Stored arrays pass the task's own checks, which are also applied to records."""
    arrays, sizes = of.arrays(), of.task.sizes(of.data)
    found = [*of.task.problems(arrays, sizes), *of.task.record_problems(of.task.measure(arrays), sizes)]
    units = of.task.units(of.data)
    found += of.task.unit_problems(units, sizes) if units else []
    if found:
        what, seen, expected = found[0]
        raise Broken(f"{what}: found {seen}, expected {expected}")


def repeatable(of: Tried) -> None:
    """A batch is a function of data, seed and step: the same in any order of steps and from another feed."""
    student, feed = of.feed()
    steps = range(EPOCHS * feed.per_epoch)
    expected = [_seen(of, student, feed, step) for step in steps]
    other_student, other = of.feed()
    for step in reversed(steps):
        for found, then in zip(_seen(of, other_student, other, step), expected[step], strict=True):
            if found.shape != then.shape or not torch.equal(found, then):
                raise Broken(
                    f"step {step} of {len(steps)}, asked for in reverse order: found {brief(found)}, not {brief(then)}"
                )
    if len(steps) > 1:
        third_student, third = of.feed(seed=1)
        if all(torch.equal(a, b) for a, b in zip(_seen(of, third_student, third, 0), expected[0], strict=True)):
            raise Broken("seeds 0 and 1: found the same first batch, expected another order")


def per_sample(of: Tried) -> None:
    """Output tensors and losses have one row per sample, and progress runs from 0 towards 1."""
    student, feed = of.feed()
    for step in range(EPOCHS * feed.per_epoch):
        batch = feed.batch(step)
        outputs = of.task.outputs(student, of.task.forward(student, feed.inputs(step)))
        losses = of.task.losses(outputs, batch)
        shapes = [list(tensor.shape) for tensor in outputs.tensors]
        if losses.shape != (len(batch),) or any(shape[0] != len(batch) for shape in shapes):
            raise Broken(f"step {step}: found outputs {shapes} and losses {list(losses.shape)} of {len(batch)} samples")
        if abs(batch.progress - step / (EPOCHS * feed.per_epoch)) > 1e-6:
            raise Broken(f"step {step}: found progress {batch.progress}, expected {step / (EPOCHS * feed.per_epoch)}")


def teachable(of: Tried) -> None:
    """The loss reaches the student's parameters through every output tensor."""
    student, feed = of.feed()
    parameters = [p for p in cast(nn.Module, student.module).parameters() if p.requires_grad]
    views = of.task.forward(student, feed.inputs(0))
    copies = [view.detach().float().requires_grad_() for view in views]
    outputs = of.task.outputs(student, copies)
    of.task.losses(outputs, feed.batch(0)).mean().backward()  # type: ignore[no-untyped-call]
    for position, (view, copy) in enumerate(zip(views, copies[: len(outputs.tensors)], strict=False)):
        if copy.grad is None or not copy.grad.abs().sum() > 0:
            raise Broken(f"output tensor {position}: found no gradient of the loss, expected one")
        reached = torch.autograd.grad(view, parameters, copy.grad.to(view.dtype), retain_graph=True, allow_unused=True)
        if not any(grad is not None and grad.abs().sum() > 0 for grad in reached):
            raise Broken(f"output tensor {position}: found a gradient at none of {len(parameters)} parameters")


def hidden_test(of: Tried) -> None:
    """Data without the test split raise an error for it; train and validation are unchanged."""
    hidden, student = of.task.without_test(of.data), of.built()
    for split in ("train", "validation"):
        of.task.encode(hidden, student, cast(Any, split))
    try:
        of.task.encode(hidden, student, "test")
    except Exception:
        return
    raise Broken("without_test(data): found the test split, expected an error")


def presentable(of: Tried) -> None:
    """Where it shows its test split, queries of a search have right candidates, and what is on top is ordered by its score."""
    shown = of.task.show(of.data)
    if shown is None:
        return
    student, arrays = of.built(), of.arrays()
    cast(nn.Module, student.module).eval()
    outputs = shown.outputs(student, BATCH, "cpu")
    for queries in of.task.queries:
        for index in range(len(arrays[queries.array])):
            where = f"{queries.label} {queries.query} {index}"
            shown.query(queries, index)
            if of.task.searches and not len(shown.right(queries, index)):
                raise Broken(f"{where}: found no right candidate, expected at least one")
            scores = [hit.score for hit in shown.top(outputs, queries, index, BATCH)]
            if scores != sorted(scores, reverse=True):
                raise Broken(f"{where}: found the scores {brief(torch.tensor(scores))} on top, expected the highest first")


PROPERTIES: dict[str, Property[Tried]] = {
    "exactly one headline": one_headline,
    "names of metrics are unique": unique_names,
    "measuring is deterministic and within bounds": measured,
    "contributions average to the metrics": averaged,
    "what it stores passes its own checks": consistent,
    "a batch is a function of the step": repeatable,
    "one loss per sample": per_sample,
    "gradients reach the student": teachable,
    "the test split can be withheld": hidden_test,
    "what it shows is in order": presentable,
}


def find(
    build: Callable[[], Task], dataset: Callable[[], Owned], student: Callable[[], Owned], waives: Waives = ()
) -> list[Finding]:
    """The findings about a task."""
    with one_thread(), torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        return examine(PROPERTIES, Tried(build, dataset, student, Path(folder)), waives)


def check_task(
    build: Callable[[], Task], dataset: Callable[[], Owned], student: Callable[[], Owned], waives: Waives = ()
) -> None:
    """Raises AssertionError that lists every property that fails. The dataset should be small."""
    insist(find(build, dataset, student, waives))


def _seen(of: Tried, student: Owned, feed: Any, step: int) -> Sequence[Tensor]:
    """The contents of a step: the student's inputs, and the loss of its untrained outputs, which depends on the batch."""
    cast(nn.Module, student.module).eval()
    inputs = feed.inputs(step)
    with torch.no_grad():
        losses = of.task.losses(of.task.outputs(student, of.task.forward(student, inputs)), feed.batch(step))
    return [*inputs, losses]
