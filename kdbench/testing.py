"""The conformance kit: what plugin authors run against a plugin, and what kdbench runs against its own.

    from kdbench.testing import check_strategy

    def test_mine():
        check_strategy(lambda: Mine(sharpness=2.0))

Each check raises AssertionError with the property, the input and the values.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kdbench.contracts import Batch, Objective, Pairs, Strategy
from kdbench.losses import pair_losses
from kdbench.signal import Graph, StepSignal
from kdbench.step import checked


def generic_signal(
    teachers: int = 3, batch_size: int = 6, width: int = 4, seed: int = 0, order: list[int] | None = None, scale: float = 1.0
) -> StepSignal:
    """A signal of random teachers and a random student with a real graph; `order` permutes the teachers.

    Teacher t's losses are squared distances to its own random targets times `scale`, so that gradients differ.
    """
    generator = torch.Generator().manual_seed(seed)

    def unit(*shape: int) -> Tensor:
        return torch.nn.functional.normalize(torch.randn(*shape, generator=generator), dim=-1)

    student = Pairs(unit(batch_size, width).requires_grad_(), unit(batch_size, width).requires_grad_(), 10.0)
    pairs = [Pairs(unit(batch_size, width), unit(batch_size, width), 20.0) for _ in range(teachers)]
    pairs = [pairs[index] for index in order or range(teachers)]
    losses = [_distance(student, teacher) * scale for teacher in pairs]
    names = [f"teacher{index}" for index in order or range(teachers)]
    batch = generic_batch(batch_size)
    graph = Graph(losses, student, [[] for _ in pairs])
    task = pair_losses(student, batch.same)
    return StepSignal(graph, pairs, names, batch, task, torch.Generator().manual_seed(seed))


def generic_batch(size: int) -> Batch:
    """Pairs of as many concepts, half-way through the training."""
    return Batch(torch.arange(size), torch.arange(size), torch.arange(size), 0.5)


def _distance(student: Pairs, teacher: Pairs) -> Tensor:
    return (student.image - teacher.image).square().sum(dim=1) + (student.text - teacher.text).square().sum(dim=1)


def check_strategy(build: Callable[[], Strategy], stochastic: bool = False) -> None:
    """Shapes, simplex, permutation, determinism, finiteness and untouched inputs of a strategy.

    `stochastic` strategies draw from `signal.generator`; permuting the teachers permutes theirs in distribution only, so
    that is not checked.
    """
    for teachers in (2, 3, 5):
        for scale in (1.0, 0.0, 1e8, 1e-8):
            signal = generic_signal(teachers, scale=scale)
            before = signal.losses.clone()
            weights = build().weigh(signal)
            _hold(not weights.requires_grad, "weights carry no gradient", teachers, scale, weights)
            checked(weights, signal.losses, build())
            _hold(torch.equal(before, signal.losses), "the signal is left as it was", teachers, scale, signal.losses)
            again = build().weigh(generic_signal(teachers, scale=scale))
            _hold(torch.equal(weights, again), "the same seed gives the same weights", teachers, scale, weights, again)
    if not stochastic:
        order = [2, 0, 1]
        weights, permuted = build().weigh(generic_signal(3)), build().weigh(generic_signal(3, order=order))
        _hold(torch.allclose(weights[order], permuted, atol=1e-5), "permuting teachers permutes weights", weights, permuted)


def check_objective(build: Callable[[], Objective], widths: tuple[int, int] = (4, 5)) -> None:
    """Shape, differentiability and finiteness of an objective, for teachers of the student's width and of another."""
    for teacher_width in widths:
        signal = generic_signal(1, width=4)
        image, text = (embedding.clone().requires_grad_() for embedding in signal.embeddings)
        student = Pairs(image, text, 10.0)
        generator = torch.Generator().manual_seed(1)
        unit = [torch.nn.functional.normalize(torch.randn(6, teacher_width, generator=generator), dim=1) for _ in range(2)]
        teacher = Pairs(unit[0], unit[1], 20.0)
        objective = build()
        losses = objective.losses(student, teacher, objective.head(4, teacher_width), generic_batch(6))
        _hold(losses.shape == (6,), "one loss per sample, [B]", list(losses.shape))
        _hold(bool(torch.isfinite(losses).all()), "losses are finite", losses)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        grads = [leaf.grad for leaf in (image, text) if leaf.grad is not None]
        _hold(any(bool(grad.abs().sum() > 0) for grad in grads), "losses move the student", losses)


def _hold(condition: bool, what: str, *values: object) -> None:
    if not condition:
        raise AssertionError(f"does not hold: {what}; found {', '.join(map(str, values))}")
