"""The distinct students of a suite's runs, independent of their labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.errors import KdbenchWarning
from kdbench.plugins.loading import Plugins
from kdbench.records.examine_parts import using_plugin
from kdbench.records.files import recorded
from kdbench.records.profile import Profile
from kdbench.records.profiles import profiled, profiles_of
from kdbench.records.provenance import host, machine_of, same_machine
from kdbench.records.tasks import task_of
from kdbench.storage.digest import digest_of
from kdbench.storage.maker import maker
from kdbench.suite.spec import PluginSpec, RunSpec

FORMAT = 2  # raise to have all students measured again


@dataclass(frozen=True)
class Measurement:
    """Conditions of the measurement: the device's name, batch sizes of the timings, threads."""

    device: str
    batch_sizes: tuple[int, ...]
    threads: int


@dataclass
class DistinctStudent:
    """A student that runs of a suite train on a dataset, with all its labels."""

    id: str
    suite: str
    task: PluginSpec
    student: PluginSpec
    dataset: PluginSpec
    gallery: int | None  # None where its task does not search
    measurement: Measurement
    code: str = ""  # of third parties behind the student
    names: list[str] = field(default_factory=list)
    runs: list[RunSpec] = field(default_factory=list)  # that train it

    def known(self, results: Path) -> Profile | None:
        """Its profile under `results`, also under an older id from before a parameter was added to its plugin.

        A student of other code is measured again.
        """
        profile = profiled(results, self.suite, self.id) or next(filter(self._fits, profiles_of(results, self.suite)), None)
        return profile if profile and (profile.code == self.code or not profile.code) else None

    def _fits(self, profile: Profile) -> bool:
        return (
            self.student.same_as(profile.student)
            and self.dataset.same_as(profile.dataset)
            and profile.gallery == self.gallery
            and (profile.device, profile.threads) == (self.measurement.device, self.measurement.threads)
            and same_machine(profile.host, host())
            and all(sorted(part.latency) == list(self.measurement.batch_sizes) for part in profile.parts.values())
        )


def distinct_students(
    specs: Sequence[RunSpec], results: Path, plugins: Plugins, device: str, batch_sizes: Sequence[int], threads: int
) -> list[DistinctStudent]:
    """The distinct students of runs, in order of appearance; `device` is the device's name.

    The size of the gallery is read from the records. Warns if a student's task searches and no run on its dataset has a
    record.
    """
    measurement = Measurement(device, tuple(sorted(set(batch_sizes))), threads)
    galleries = _galleries(specs, results, plugins)
    found: dict[tuple[str, str], DistinctStudent] = {}
    without: dict[str, str] = {}
    for spec in specs:
        if spec.reference or spec.trained_on:
            continue
        name, gallery = spec.student.name, galleries.get(_content(spec.dataset))
        if gallery is None and task_of(spec.task, plugins).searches:
            without[name] = spec.dataset.name
            continue
        id = _id(spec, gallery, measurement)
        with using_plugin("student", spec.student, plugins):
            code = maker().code
        student = DistinctStudent(id, spec.suite, spec.task, spec.student, spec.dataset, gallery, measurement, code)
        student = found.setdefault((spec.suite, id), student)
        student.runs.append(spec)
        if name not in student.names:
            student.names.append(name)
    for name, dataset in without.items():
        message = f"student {name}: not measured: the size of its gallery is unknown because no run on {dataset} has finished"
        warnings.warn(message, KdbenchWarning, stacklevel=3)
    return list(found.values())


def _galleries(specs: Sequence[RunSpec], results: Path, plugins: Plugins) -> dict[str, int]:
    """Sizes of the gallery by dataset: a student whose own runs failed uses that of other runs."""
    galleries: dict[str, int] = {}
    for spec in specs:
        task, dataset = task_of(spec.task, plugins), _content(spec.dataset)
        if task.searches and dataset not in galleries:
            record = recorded(results, spec)
            if record is not None and record.sizes:
                galleries[dataset] = task.gallery(record.sizes)
    return galleries


def _id(spec: RunSpec, gallery: int | None, measurement: Measurement) -> str:
    identity: dict[str, Any] = {
        "format": FORMAT,
        "student": _content(spec.student),
        "dataset": _content(spec.dataset),
        "gallery": gallery,
        "device": measurement.device,
        "host": machine_of(host()),
        "threads": measurement.threads,
        "batches": list(measurement.batch_sizes),
    }
    return digest_of(identity)[:12]


def _content(plugin: PluginSpec) -> str:
    """Equal for plugins that differ only in their labels."""
    return digest_of({**plugin.canonical, "name": ""})
