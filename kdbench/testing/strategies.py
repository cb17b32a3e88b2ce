"""The properties of a strategy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from kdbench.errors import PluginError, Skip, quoted
from kdbench.testing.findings import Broken, Finding, Property, Waives, brief, examine, furthest, insist, one_thread
from kdbench.testing.retrieval.signals import Course, contents, drive, walk
from kdbench.testing.strategy_runs import Build, compare, global_seeds, resume, twins
from kdbench.training.borders import weights_of
from kdbench.training.step import checked

# Short epochs, but enough of them for strategies that use the last two.
TEAMS = tuple(Course(teachers, steps=2) for teachers in (2, 3, 5))
ORDERS = tuple(Course(len(order), steps=2, order=order) for order in ((1, 0), (2, 0, 1), (1, 0, 2), (4, 3, 2, 1, 0)))
EXTREMES = tuple(
    Course(teachers, steps=steps, scale=scale, first=first, alike=alike)
    for teachers, steps in ((1, 1), (2, 2), (5, 1))
    for scale, first, alike in (
        (0.0, 1.0, False),
        (1e8, 1.0, False),
        (1e-8, 1.0, False),
        ((1.0, 0.0, 1.0), 1.0, False),
        (1.0, 0.0, False),
        (1.0, 1e8, False),
        (1.0, 1.0, True),
    )
)


@dataclass(frozen=True)
class Candidate:
    """A strategy under test, and others that it should differ from."""

    build: Build
    others: Mapping[str, Build] = field(default_factory=dict)


def simplex(of: Candidate) -> None:
    """Weights are [T], [T, B] or [T, B, B], nonnegative, with the sum 1 over teachers; those of `raw` strategies are finite."""
    _over(TEAMS, lambda course: _check_weights(of, course))


def no_gradient(of: Candidate) -> None:
    """Weights are detached: no gradient flows through them."""

    def test(course: Course) -> None:
        for step, _, weights in walk(of.build(), course):
            if weights.requires_grad:
                raise Broken(f"{course}, step {step}: found weights with the graph {weights.grad_fn}, expected none")

    _over(TEAMS, test)


def permutation(of: Candidate) -> None:
    """Permuting the teachers permutes the weights, during a whole run."""

    def test(course: Course) -> None:
        order = list(course.order)
        plain = drive(of.build, replace(course, order=()))
        for step, (weights, found) in enumerate(zip(plain, drive(of.build, course), strict=True)):
            expected = weights[order]
            if found.shape != expected.shape or not torch.allclose(found, expected, atol=1e-5, equal_nan=True):
                raise Broken(f"{course}, step {step}: {furthest(found, expected)}")

    _over(ORDERS, test)


def one_teacher(of: Candidate) -> None:
    """A single teacher has weight exactly 1: that is plain distillation."""

    def test(course: Course) -> None:
        for step, weights in enumerate(drive(of.build, course)):
            if (
                tuple(weights.shape) not in {(1, course.batch_size, course.batch_size)[:n] for n in (1, 2, 3)}
                or (weights != 1).any()
            ):
                raise Broken(f"{course}, step {step}: found {brief(weights)}, expected 1")

    _over([Course(1)], test)


def one_tower(of: Candidate) -> str:
    """A teacher without a text tower is weighted like others, or the strategy says that it needs both: `one_tower = False`."""
    if not getattr(of.build(), "one_tower", True):
        return "it needs both towers of every teacher"

    def test(course: Course) -> None:
        drive(of.build, course)

    _over([Course(1, lacking=True), Course(3, lacking=True)], test)
    return ""


def finite(of: Candidate) -> None:
    """Losses that are zero, huge, tiny or equal give valid, finite weights."""
    _over(EXTREMES, lambda course: _check_weights(of, course))


def reproducible(of: Candidate) -> None:
    """Random draws use `signal.generator` only, not the global generators."""

    def test(course: Course) -> None:
        with global_seeds(1):
            expected = drive(of.build, course)
        with global_seeds(2):
            found = drive(of.build, course)
        compare(found, expected, f"{course}, other global random numbers")

    _over(TEAMS, test)


def resumable(of: Candidate) -> str:
    """Saved at any step and loaded into a new instance, a strategy resumes bit for bit; without state, it needs none."""
    saves, loads = (hasattr(of.build(), method) for method in ("state_dict", "load_state_dict"))
    if saves != loads:
        raise Broken(f"found only {'state_dict' if saves else 'load_state_dict'}, expected both or none of the two")
    with tempfile.TemporaryDirectory() as folder:
        _over([Course(3), Course(5, steps=2, seed=1)], lambda course: resume(of.build, course, Path(folder) if saves else None))
    return "" if saves else "it has no state"


def inputs_untouched(of: Candidate) -> None:
    """A strategy does not change the signal."""

    def test(course: Course) -> None:
        strategy = of.build()
        for step in range(course.total):
            signal = course.signal(step)
            before = contents(signal)
            strategy.weigh(signal)
            for name, now in contents(signal).items():
                if not torch.equal(before[name], now):
                    raise Broken(f"{course}, step {step}: signal.{name} has changed: {furthest(now, before[name])}")

    _over([Course(3), Course(5, epochs=1, steps=2)], test)


def unlike_others(of: Candidate) -> str:
    """No other strategy gives the same weights on every signal."""
    courses = [
        Course(teachers, epochs=4, steps=3, scale=scale, first=first)
        for teachers in (2, 3, 5)
        for scale, first in ((1.0, 1.0), (1e3, 1.0), (1.0, 30.0))
    ]
    for name, build in of.others.items():
        shared = twins(of.build, build, courses)
        if shared:
            text = "; ".join(map(str, shared))
            raise Broken(f"{name} gives the same weights, to 1e-6, at all {courses[0].total} steps with {text}")
    return f"compared with {', '.join(of.others) or 'no other'}"


PROPERTIES: dict[str, Property[Candidate]] = {
    "weights are a simplex": simplex,
    "no gradient": no_gradient,
    "permuting teachers permutes weights": permutation,
    "one teacher has all the weight": one_teacher,
    "teachers of one tower are weighted or refused": one_tower,
    "finite for zero, huge and identical losses": finite,
    "same seed, same weights": reproducible,
    "state survives saving and loading": resumable,
    "inputs untouched": inputs_untouched,
    "unlike other strategies": unlike_others,
}


def find(build: Build, waives: Waives = (), others: Mapping[str, Build] | None = None) -> list[Finding]:
    """The findings about a strategy; `others` are those it should differ from."""
    with one_thread():
        return examine(PROPERTIES, Candidate(build, others or {}), waives)


def check_strategy(build: Build, waives: Waives = (), others: Mapping[str, Build] | None = None) -> None:
    """Raises AssertionError that lists every property that fails."""
    insist(find(build, waives, others))


def _over(courses: Iterable[Course], test: Callable[[Course], None]) -> None:
    """Tests a strategy on every course. It may skip teams of some sizes, but not all."""
    courses = list(courses)
    skipped = []
    for course in courses:
        try:
            test(course)
        except Broken:
            raise
        except Skip as skip:
            skipped.append(f"{course}: skipped, {skip}")
        except Exception as error:  # any exception of the strategy
            raise Broken(f"{course}: {quoted(error)}") from error
    if len(skipped) == len(courses):
        raise Broken(f"{skipped[0]}; expected weights")


def _check_weights(of: Candidate, course: Course) -> None:
    strategy = of.build()
    for step, signal, weights in walk(strategy, course):
        try:
            checked(weights_of(strategy, weights, *signal.losses.shape).to(signal.losses), signal.losses, strategy)
        except PluginError as error:
            raise Broken(f"{course}, step {step}: {error}") from error
