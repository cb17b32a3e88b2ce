"""Signals for testing a strategy: a short synthetic run in which a student with two linear towers approaches its teachers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import kl_div, normalize

from kdbench.contracts import Batch, Pairs, Strategy
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.losses import pair_losses
from kdbench.tasks.retrieval.ranks import retrieval_metrics
from kdbench.training.signal import Graph, StepSignal


@dataclass(frozen=True)
class Course:
    """A run of `epochs` epochs with `steps` steps each. Teachers are named teacher0, teacher1 …

    Each has its own width, scale and quality: later ones are worse, and all but teacher0 are wrong about half of the concepts,
    which makes gradients conflict. The losses fall as the student learns. They are multiplied by `scale`, or per epoch by the
    numbers of a tuple, the last of which is kept; those of teacher0 also by `first`. `alike` makes all teachers equal to
    teacher0, and `order` permutes them. With `lacking`, the last teacher has no text tower.
    """

    teachers: int = 3
    batch_size: int = 8
    width: int = 4
    epochs: int = 3
    steps: int = 4
    scale: float | tuple[float, ...] = 1.0
    first: float = 1.0
    alike: bool = False
    order: tuple[int, ...] = ()
    lacking: bool = False
    seed: int = 0

    def __str__(self) -> str:
        noun = f"{'identical ' if self.alike else ''}teacher{'s' if self.teachers != 1 else ''}"
        parts = [f"{self.teachers} {noun}", f"batch {self.batch_size}"]
        if self.scale != 1.0:
            by_epoch = isinstance(self.scale, tuple)
            parts.append(f"losses times {_plain(self.scale)}{' by epoch' if by_epoch else ''}")
        if self.first != 1.0:
            parts.append(f"teacher0's losses times {self.first:g}")
        if self.order:
            parts.append(f"order {list(self.order)}")
        if self.lacking:
            parts.append("the last without a text tower")
        return ", ".join([*parts, f"seed {self.seed}"])

    @property
    def total(self) -> int:
        return self.epochs * self.steps

    def signal(self, step: int, after: bool = False) -> StepSignal:
        """The signal at a step, counted from 0; with `after` of the same batch once the student has learned from it."""
        epoch, position = divmod(step, self.steps)
        count = self.batch_size * self.steps
        shuffled = torch.randperm(count, generator=_generator(self.seed, epoch))
        rows = shuffled[position * self.batch_size : (position + 1) * self.batch_size]
        progress = step / self.total
        pairs = _pairs(self.width, count, self.seed)
        # Learning: from random towers towards those that separate all concepts.
        learned = (step + after) / self.total
        towers = [((1 - learned) * start + learned * torch.eye(self.width)).requires_grad_() for start in pairs.start]
        logit_scale = torch.tensor(math.log(10.0), requires_grad=True)
        views = [normalize(seen[rows] @ tower, dim=1) for seen, tower in zip(pairs.seen, towers, strict=True)]
        image, text = (view.detach().requires_grad_() for view in views)
        student = Pairs(image, text, logit_scale.exp())
        order = self.order or range(self.teachers)
        outputs = [_teacher(pairs, 0 if self.alike else teacher, rows, self.seed) for teacher in order]
        if self.lacking:
            last, head = outputs[-1]
            outputs[-1] = replace(last, text=last.text[:, :0]), head
        scales = [self._scale(epoch) * (self.first if teacher == 0 else 1.0) for teacher in order]
        losses = [scale * _distance(student, *one) for scale, one in zip(scales, outputs, strict=True)]
        batch = Batch(rows, rows.clone(), pairs.concepts[rows], progress, ids=[f"image{row}" for row in range(count)])
        return StepSignal(
            Retrieval(),
            Graph(losses, student, [[head] for _, head in outputs], views, [*towers, logit_scale]),
            [teacher for teacher, _ in outputs],
            [f"teacher{teacher}" for teacher in order],
            batch,
            pair_losses(student, batch.same),
            _generator(self.seed, 1000 + step),
        )

    def validation(self, epoch: int) -> dict[str, float] | None:
        """The metrics at the end of an epoch, counted from 1: every second epoch and the last are validated."""
        if epoch % 2 and epoch < self.epochs:
            return None
        rng = np.random.default_rng((self.seed, epoch))
        ranks = [rng.integers(1, 2 + 20 // epoch, 40) for _ in range(2)]
        return retrieval_metrics(ranks[0], ranks[1], [1, 5, 10])

    def _scale(self, epoch: int) -> float:
        return self.scale[min(epoch, len(self.scale) - 1)] if isinstance(self.scale, tuple) else self.scale


class Moment(NamedTuple):
    """A step of a course: the signal and the strategy's weights."""

    step: int
    signal: StepSignal
    weights: Tensor


def walk(strategy: Strategy, course: Course, first: int = 0) -> Iterator[Moment]:
    """Calls a strategy like the training loop, from step `first`; yields after each step."""
    for step in range(first, course.total):
        signal = course.signal(step)
        weights = strategy.weigh(signal)
        if hasattr(strategy, "observe_after"):
            _tell(strategy, "observe_after", course.signal(step, after=True).losses)
        _tell(strategy, "observe", float(signal.task_losses.mean()))
        _tell(strategy, "report")
        if (step + 1) % course.steps == 0:
            _tell(strategy, "end_epoch", course.validation((step + 1) // course.steps))
        yield Moment(step, signal, weights)


def drive(build: Callable[[], Strategy], course: Course | None = None) -> list[Tensor]:
    """The weights of a fresh strategy at every step of a course."""
    return [moment.weights.detach() for moment in walk(build(), course or Course())]


def generic_signal(
    teachers: int = 3,
    batch_size: int = 6,
    width: int = 4,
    seed: int = 0,
    order: Sequence[int] | None = None,
    scale: float = 1.0,
) -> StepSignal:
    """One signal, from the middle of a run; `order` permutes the teachers and `scale` multiplies their losses."""
    course = Course(teachers, batch_size, width, scale=scale, order=tuple(order or ()), seed=seed)
    return course.signal(course.total // 2)


def generic_batch(size: int) -> Batch:
    """Pairs of distinct concepts, half-way through the training."""
    return Batch(torch.arange(size), torch.arange(size), torch.arange(size), 0.5)


def contents(signal: StepSignal) -> dict[str, Tensor]:
    """Copies of everything that a strategy can read."""
    names = ["losses", "truth_losses", "task_losses", "teacher_probs", "student_probs", "embeddings", "gradients", "gramian"]
    found = {name: getattr(signal, name) for name in [*names, "task_gradient", "parameter_gramian"]}
    found |= {f"teacher_embeddings[{position}]": pair for position, pair in enumerate(signal.teacher_embeddings)}
    found |= {f"batch.{name}": getattr(signal.batch, name) for name in ("images", "captions", "concepts")}
    return {name: value.clone() for name, value in found.items()}


class _Pairs(NamedTuple):
    concepts: Tensor  # [P], two pairs per concept
    meaning: Tensor  # [P, d], a unit vector for each concept
    seen: tuple[Tensor, Tensor]  # inputs of the image and text towers, [P, d]
    start: tuple[Tensor, Tensor]  # their initial weights, [d, d]


@lru_cache(maxsize=16)
def _pairs(width: int, count: int, seed: int) -> _Pairs:
    draw = _generator(seed, -1)
    concepts = torch.arange(count) // 2
    meaning = normalize(torch.randn(count, width, generator=draw), dim=1)[concepts]
    # Every concept resembles the next one, for which the second teacher mistakes it.
    seen = [meaning + 0.5 * meaning.roll(2, dims=0) + 0.1 * torch.randn(count, width, generator=draw) for _ in range(2)]
    start = [torch.eye(width) + 0.5 * torch.randn(width, width, generator=draw) for _ in range(2)]
    return _Pairs(concepts, meaning, (seen[0], seen[1]), (start[0], start[1]))


def _teacher(pairs: _Pairs, teacher: int, rows: Tensor, seed: int) -> tuple[Pairs, Tensor]:
    """A teacher's embeddings of some pairs, and the head through which the student is compared with them."""
    draw = _generator(seed, 100 + teacher)
    count, width = pairs.meaning.shape
    own = width + teacher % 3
    mapping = torch.randn(width, own, generator=draw)
    doubt = 0.2 * (teacher + 1)
    # The first is never completely wrong; each of the others mistakes half of the concepts and contradicts it.
    wrong = (pairs.concepts + teacher) % 2 == 0 if teacher else torch.zeros(count, dtype=torch.bool)
    believed = torch.where(wrong[:, None], pairs.meaning.roll(2 * teacher, dims=0), pairs.meaning)
    image, text = (
        normalize((believed + doubt * torch.randn(count, width, generator=draw)) @ mapping, dim=1)[rows] for _ in range(2)
    )
    head = (mapping + 0.1 * torch.randn(width, own, generator=draw)).requires_grad_()
    return Pairs(image, text, 5.0 + 5.0 * teacher), head


def _distance(student: Pairs, teacher: Pairs, head: Tensor) -> Tensor:
    """A loss per sample from projected embeddings and in-batch distributions, with gradients at all leaves; of images alone if
    the teacher has no text tower."""
    image = normalize(student.image @ head, dim=1) - teacher.image
    if teacher.text.shape[1] == 0:
        return image.square().sum(dim=1)
    text = normalize(student.text @ head, dim=1) - teacher.text
    own, aim = student.logits.log_softmax(dim=1), teacher.logits.log_softmax(dim=1)
    relations = kl_div(own, aim, reduction="none", log_target=True).sum(dim=1)
    return image.square().sum(dim=1) + text.square().sum(dim=1) + 0.1 * relations


def _generator(seed: int, position: int) -> Generator:
    return torch.Generator().manual_seed(seed * 100_003 + position + 1)


def _tell(strategy: Strategy, method: str, *arguments: object) -> Any:
    return getattr(strategy, method)(*arguments) if hasattr(strategy, method) else None


def _plain(scale: float | tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in (scale if isinstance(scale, tuple) else (scale,)))
