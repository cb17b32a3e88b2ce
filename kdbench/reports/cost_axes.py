"""What students' profiles can be compared by: latency, on one machine each, and parameters, on any."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdbench.records.profile import Profile
from kdbench.records.provenance import machine_of
from kdbench.reports.board import Row

MILLION = 10**6


@dataclass(frozen=True)
class Axis:
    """A cost with the profiles that have it. Costs on one axis compare, those on two axes do not."""

    key: str  # of what its costs have in common
    label: str  # for a title: `latency on cpu (AMD EPYC), 1 thread, torch 2.6.0`
    cost: str  # with its unit: `latency of image + text, batch 1 (ms)`
    host: str
    timed: bool
    profiles: list[Profile]
    cost_of: Callable[[Profile], float]

    def profile_of(self, row: Row) -> Profile | None:
        """That of the row's student, whatever its label; None if there is none.

        Times depend on the inputs, so they are of the row's own dataset. Among several profiles one with the very same dataset
        is preferred, then one whose timings are stable, then the latest.
        """
        student, dataset = row.spec.student, row.spec.training.dataset
        fitting = [
            profile
            for profile in self.profiles
            if (not self.timed or not profile.dataset or profile.dataset.get("use") == dataset.use)
            and student.same_as(profile.student)
        ]

        def preferred(profile: Profile) -> tuple[bool, bool, str, str]:
            return dataset.same_as(profile.dataset), not profile.unstable, profile.measured, profile.id

        return max(fitting, key=preferred, default=None)


def axes_of(profiles: Sequence[Profile]) -> list[Axis]:
    """Latency first, an axis for each device, host, number of threads, version of torch, parts and smallest batch; then
    parameters."""
    groups: dict[str, list[Profile]] = defaultdict(list)
    for profile in profiles:
        batch = _smallest_batch(profile)
        if batch is not None:
            machine = [profile.device, *_machine(profile), list(profile.parts), batch, *machine_of(profile.host)[1:]]
            groups[json.dumps(["latency", *machine])].append(profile)
    axes = [_latency(key, group) for key, group in sorted(groups.items())]
    if profiles:
        axes.append(Axis('["parameters"]', "parameters", "parameters (M)", "", False, list(profiles), _parameters))
    return axes


def _latency(key: str, profiles: list[Profile]) -> Axis:
    first = profiles[0]
    host, threads, torch = _machine(first)
    cpu, batch = first.host.get("cpu"), _smallest_batch(first)
    device = f"{first.device} ({cpu})" if first.device == "cpu" and cpu else first.device
    label = f"latency on {device}, {threads} thread{'s' if threads != 1 else ''}, torch {torch or 'of unknown version'}"
    cost = f"latency of {' + '.join(first.parts)}, batch {batch} (ms)"
    return Axis(key, label, cost, str(host or ""), True, profiles, _milliseconds)


def _machine(profile: Profile) -> tuple[object, int, str]:
    return profile.host.get("id"), profile.threads, profile.versions.get("torch", "")


def _smallest_batch(profile: Profile) -> int | None:
    """The smallest that all parts were timed with."""
    batches = [set(part.latency) for part in profile.parts.values()]
    return min(set.intersection(*batches), default=None) if batches else None


def _milliseconds(profile: Profile) -> float:
    batch = _smallest_batch(profile)
    assert batch is not None  # only timed profiles are on this axis
    return sum(part.latency[batch].median_ms for part in profile.parts.values())


def _parameters(profile: Profile) -> float:
    return profile.parameters / MILLION
