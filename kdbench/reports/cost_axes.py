"""What a student's profile can be compared by: latency, on one machine each, and parameters, on any."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdbench.deploy.profile.candidates import plain
from kdbench.records.profile import Profile
from kdbench.reports.board import Row

MILLION = 10**6


@dataclass(frozen=True)
class Axis:
    """A cost with the profiles that tell it. Costs on two axes do not compare, those on one do."""

    key: str  # of what its costs have in common
    label: str  # for a title: `latency on cpu (AMD EPYC), 1 thread, torch 2.6.0`
    cost: str  # with its unit: `latency of both towers at batch 1, ms`
    host: str
    timed: bool
    profiles: list[Profile]
    cost_of: Callable[[Profile], float]

    def profile_of(self, row: Row) -> Profile | None:
        """That of the row's student, whatever it is called; None where there is none.

        A student takes its time for the images and captions it was measured with, so times are of the row's own dataset. Of
        several profiles the one with the very same dataset counts, then one whose timings are stable, then the latest.
        """
        student, dataset = plain(row.spec["student"]), plain(row.spec["dataset"])
        fitting = [
            profile
            for profile in self.profiles
            if profile.student == student
            and (not self.timed or not profile.dataset or profile.dataset.get("use") == dataset["use"])
        ]
        return max(fitting, key=lambda profile: _preferred(profile, dataset), default=None)


def axes_of(profiles: Sequence[Profile]) -> list[Axis]:
    """Latency first, an axis for each device, host, number of threads, version of torch and smallest batch; then parameters."""
    groups: dict[str, list[Profile]] = defaultdict(list)
    for profile in profiles:
        batch = _smallest_batch(profile)
        if batch is not None:
            groups[json.dumps(["latency", profile.device, *_machine(profile), batch])].append(profile)
    axes = [_latency(key, group) for key, group in sorted(groups.items())]
    if profiles:
        axes.append(Axis('["parameters"]', "parameters", "parameters, M", "", False, list(profiles), _parameters))
    return axes


def _latency(key: str, profiles: list[Profile]) -> Axis:
    first = profiles[0]
    host, threads, torch = _machine(first)
    cpu, batch = first.host.get("cpu"), _smallest_batch(first)
    device = f"{first.device} ({cpu})" if first.device == "cpu" and cpu else first.device
    label = f"latency on {device}, {threads} thread{'s' if threads != 1 else ''}, torch {torch or 'of unknown version'}"
    return Axis(key, label, f"latency of both towers at batch {batch}, ms", str(host or ""), True, profiles, _milliseconds)


def _machine(profile: Profile) -> tuple[object, int, str]:
    return profile.host.get("id"), profile.threads, profile.versions.get("torch", "")


def _smallest_batch(profile: Profile) -> int | None:
    """That both towers were timed with."""
    return min(set(profile.image.latency) & set(profile.text.latency), default=None)


def _milliseconds(profile: Profile) -> float:
    batch = _smallest_batch(profile)
    assert batch is not None  # only timed profiles are on this axis
    return profile.image.latency[batch].median_ms + profile.text.latency[batch].median_ms


def _parameters(profile: Profile) -> float:
    return profile.parameters / MILLION


def _preferred(profile: Profile, dataset: dict[str, object]) -> tuple[bool, bool, str, str]:
    same = all(profile.dataset.get(part) == dataset[part] for part in dataset)
    return same, not profile.unstable, profile.measured, profile.id
