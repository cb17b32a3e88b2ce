"""A trial of a sweep: a run that is trained and validated, and never ranked on the test split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from filelock import FileLock
from numpy.typing import NDArray

from kdbench.contracts import Encoder, Split, SplitName, Student
from kdbench.data.dataset import CachedDataset
from kdbench.deploy.profile.counts import count, tower_flops
from kdbench.deploy.profile.subject import TOWERS, Items, subject_of
from kdbench.deploy.profile.timing import tower_latency
from kdbench.plugins.building import building_with
from kdbench.records.provenance import host
from kdbench.runs.execute import Bench, learn
from kdbench.suite.plan import RunSpec
from kdbench.suite.sweep import COSTS

LATENCY_SECONDS = 0.5  # of each tower's timing
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Attempt:
    """What a trial came to."""

    validation: dict[str, float]  # metrics of the best epoch
    best_epoch: int
    seconds: float  # of training, over all sittings
    costs: dict[str, float]  # of those asked for: latency in ms, flops, parameters


class Pruned(Exception):
    """Raised by whoever hears of a trial's epochs, to end it."""


class Untested(CachedDataset):
    """A dataset whose test split cannot be reached."""

    def split(self, name: SplitName) -> Split:
        _refuse(name)
        return super().split(name)

    def encode(self, encoder: Encoder, name: SplitName) -> NDArray[Any]:
        _refuse(name)
        return super().encode(encoder, name)


def attempt(spec: RunSpec, bench: Bench, id: str, on_epoch: OnEpoch, costs: Sequence[str] = ()) -> Attempt:
    """Trains `spec` as a run is trained, with the checkpoint of that `id`; writes no record.

    `on_epoch` hears the metrics of every epoch and may raise Pruned. Raises what training raises: Skip, Diverged, KdbenchError
    and whatever plugins do.
    """

    def heard(who: str, epoch: int, metrics: dict[str, float]) -> None:
        bench.on_epoch(who, epoch, metrics)
        on_epoch(epoch, metrics)

    with building_with(bench.plugins):
        given = bench.open(spec.dataset, id)
        dataset = Untested(given.source, given.cache, given.device, given.report)
        learned = learn(spec, replace(bench, on_epoch=heard), dataset, id)
        trained = learned.trained
        found = _costs(learned.student, dataset, bench, costs) if costs else {}
    return Attempt(trained.validation, trained.best_epoch, round(trained.seconds, 3), found)


def _refuse(name: str) -> None:
    if name not in ("train", "validation"):
        raise AssertionError(f"a trial asked for the {name!r} split; tuning sees train and validation")


def _costs(student: Student, dataset: CachedDataset, bench: Bench, names: Sequence[str]) -> dict[str, float]:
    """As `kdbench profile` has them. Latency: of both towers for one item on one thread, the medians added.

    It is measured by one process of this machine at a time, but beside the trainings of the others: with more than one job it
    is noisy, and `flops` is the objective that says the same every time.
    """
    items = Items(dataset.source.size, tuple(dataset.split("train").captions[:32]))
    subject = subject_of(student, items, 1)
    found: dict[str, float] = {}
    for name in names:
        if name == "parameters":
            found[name] = count(list(subject.module.parameters()))
        elif name == "flops":
            subject.module.to("cpu")
            found[name] = sum(tower_flops(subject, tower) for tower in TOWERS)
        elif name == "latency":
            with FileLock(bench.cache.root / f"profile-{host()['id']}.lock"):
                moved = subject.to(bench.device)
                timings = [tower_latency(moved, tower, 1, 1, LATENCY_SECONDS) for tower in TOWERS]
            found[name] = sum(timing.median_ms for timing in timings)
        else:
            raise ValueError(f"cost {name!r}; expected one of {', '.join(COSTS)}")
    return found
