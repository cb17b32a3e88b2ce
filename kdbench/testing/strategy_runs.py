"""Comparisons of strategy runs: resumed with uninterrupted, one strategy with another."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from kdbench.contracts import Strategy
from kdbench.errors import Skip
from kdbench.storage import checkpoint
from kdbench.testing.findings import Broken, furthest
from kdbench.testing.retrieval.signals import Course, drive, walk

Build = Callable[[], Strategy]


def compare(found: list[Tensor], expected: list[Tensor], where: str, first: int = 0) -> None:
    for step, (now, then) in enumerate(zip(found, expected, strict=True), first):
        differs = difference(now, then)
        if differs:
            raise Broken(f"{where}, step {step}: {differs}")


def resume(build: Build, course: Course, folder: Path | None) -> None:
    """Compares a run with runs that stop after a step and resume with a new instance."""
    expected = drive(build, course)
    strategy = build()
    watched = []
    for step, _, weights in walk(strategy, course):
        watched.append(weights.detach())
        if folder:
            checkpoint.save(folder / f"{step + 1}", cast(Any, strategy).state_dict())
    compare(watched, expected, f"{course}, saved after every step")
    # Within an epoch, at its end, at its beginning, before the last step.
    for first in sorted({1, course.steps, course.steps + 1, course.total - 1}):
        fresh = build()
        if folder:
            cast(Any, fresh).load_state_dict(checkpoint.load(folder / f"{first}"))
        where = f"{course}, {'loaded' if folder else 'without state, begun anew'} after {first} steps"
        compare([moment.weights.detach() for moment in walk(fresh, course, first)], expected[first:], where, first)
        if folder:
            checkpoint.save(folder / "end", cast(Any, fresh).state_dict())
            found, then = (checkpoint.load(folder / name) for name in ("end", f"{course.total}"))
            differs = difference(found, then)
            if differs:
                raise Broken(f"{where}, the state at the end: {differs}")


def difference(found: Any, expected: Any, at: str = "") -> str | None:
    """The first difference between two states, bit for bit; a NaN equals itself."""
    if isinstance(found, Tensor) and isinstance(expected, Tensor):
        if found.dtype != expected.dtype:
            return f"{at}found {found.dtype}, expected {expected.dtype}"
        same = found.shape == expected.shape and ((found == expected) | (found.isnan() & expected.isnan())).all()
        return None if same else at + furthest(found, expected)
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        found, expected = dict(enumerate(found)), dict(enumerate(expected))
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        inner = (difference(found[key], expected[key], f"{at}{key!r}: ") for key in found)
        return next(filter(None, inner), None)
    same = type(found) is type(expected) and (found == expected or (found != found and expected != expected))
    return None if same else f"{at}found {found!r}, expected {expected!r}"


def twins(one: Build, other: Build, courses: list[Course]) -> list[Course]:
    """The courses that neither skips, if both agree at every step; empty after the first difference."""
    shared = []
    for course in courses:
        try:
            for left, right in zip(walk(one(), course), walk(other(), course), strict=True):
                if not _alike(left.weights.detach(), right.weights.detach(), course.batch_size):
                    return []
        except Skip:
            continue
        except Exception:  # an error of the other strategy, or one that another property reports
            return []
        shared.append(course)
    return shared


def _alike(one: Tensor, other: Tensor, batch_size: int) -> bool:
    spread = []
    for weights in (one, other):
        by_pair = weights.double()[(slice(None),) * weights.dim() + (None,) * (3 - weights.dim())]
        spread.append(by_pair.expand(-1, batch_size, batch_size))
    return torch.allclose(spread[0], spread[1], rtol=0, atol=1e-6)


@contextmanager
def global_seeds(seed: int) -> Iterator[None]:
    """A context with other states of the global generators of torch, NumPy and Python; restores them afterwards."""
    python, legacy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
