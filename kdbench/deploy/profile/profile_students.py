"""Profiles the students of a suite's runs, each once per device, in a separate process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kdbench.deploy.profile.distinct_students import DistinctStudent, distinct_students
from kdbench.deploy.profile.own_process import NotMeasured, Request, measured_apart
from kdbench.errors import KdbenchError, KdbenchWarning
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.files import recorded
from kdbench.records.profile import Profile
from kdbench.records.profiles import write_profile
from kdbench.records.provenance import device_name, host, resolved_device
from kdbench.records.tasks import task_of
from kdbench.storage.cache import Cache
from kdbench.storage.locks import lock_file
from kdbench.suite.spec import RunSpec


def profile_students(
    specs: Sequence[RunSpec],
    results: Path,
    cache: Path,
    plugins: Plugins,
    device: str = "cpu",
    *,
    batch_sizes: Sequence[int] = (1, 32),
    threads: int = 1,
    seconds: float = 1.0,
    on_student: Callable[[str], None] = lambda _: None,
) -> list[Profile]:
    """Profiles of all students of the runs, in order; measures those without a profile for this device.

    Call it when no training runs. Students are measured one after another, and one at a time among all processes with the
    same `cache`. `device` is `cpu`, `cuda` or `auto`; `seconds` is the minimum time for each timing. `on_student` is called
    with the name of each student before it is measured. A student that cannot be measured is skipped with a warning.
    """
    device = resolved_device(device)
    students = distinct_students(specs, results, plugins, device_name(device), batch_sizes, threads)
    cache.mkdir(parents=True, exist_ok=True)
    lock = cache / f"profile-{host()['id']}.lock"  # several machines may share a cache
    samples = Samples(plugins, cache)
    profiles = []
    for student in students:
        profile = student.known(results)
        if profile is None or set(student.names) - set(profile.names):
            on_student(student.names[0])
            with lock_file(lock):
                weights = trained_weights(student, results, samples.cache)
                profile = _named(student, results, samples, device, seconds, weights)
        if profile is not None:
            profiles.append(profile)
    return profiles


class Samples:
    """`Task.samples` of datasets, read once per dataset: values to draw inputs from."""

    def __init__(self, plugins: Plugins, cache: Path) -> None:
        self._plugins, self.cache = plugins, Cache(cache)
        self._known: list[tuple[DistinctStudent, dict[str, Any]]] = []

    def of(self, student: DistinctStudent) -> dict[str, Any]:
        """The samples for a student's task and dataset."""
        for other, samples in self._known:
            if (other.task, other.dataset) == (student.task, student.dataset):
                return samples
        with building_with(self._plugins):
            task = task_of(student.task, self._plugins)
            data = task.open(build_spec("dataset", student.dataset), self.cache, "cpu", lambda *_: None)
            samples = task.samples(data)
        self._known.append((student, samples))
        return samples


def trained_weights(student: DistinctStudent, results: Path, cache: Cache) -> Path | None:
    """The weights that the first finished run of a student has left in the cache, None without any."""
    from kdbench.deploy.export.load import weights_kept, weights_of  # torch, which profiles that are known do without

    for record in (recorded(results, spec) for spec in student.runs):
        if record is not None and weights_kept(record, cache):
            with suppress(KdbenchError):  # damaged; another run's may not be
                return weights_of(record, cache)
    return None


def _named(
    student: DistinctStudent, results: Path, samples: Samples, device: str, seconds: float, weights: Path | None
) -> Profile | None:
    """The profile on disk (another process may have written it meanwhile) or a new one, with all labels of the student."""
    profile = student.known(results) or _measured(student, samples, device, seconds, weights)
    if profile is None:
        return None
    named = profile.replace(
        id=profile.id or student.id,
        student=student.student.plain,
        code=student.code,
        dataset={"name": student.dataset.name, **student.dataset.plain},
        names=list(dict.fromkeys([*profile.names, *student.names])),
    )
    write_profile(results, student.suite, named)
    return named


def _measured(student: DistinctStudent, samples: Samples, device: str, seconds: float, weights: Path | None) -> Profile | None:
    request = Request(
        task=student.task,
        student=student.student,
        samples=samples.of(student),
        gallery=student.gallery,
        device=device,
        batch_sizes=student.measurement.batch_sizes,
        threads=student.measurement.threads,
        seconds=seconds,
        weights=weights,
    )
    try:
        return measured_apart(request)
    except NotMeasured as error:
        warnings.warn(f"student {student.names[0]}: not measured: {error}", KdbenchWarning, stacklevel=4)
        return None
