"""The students of a suite's runs, each measured once a device, in a process of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from kdbench.deploy.profile.candidates import Candidate, Run, candidates, plain
from kdbench.deploy.profile.child import Unmeasured, measured_apart
from kdbench.errors import KdbenchWarning
from kdbench.plugins.building import build_planned, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.profile import Profile
from kdbench.records.profiles import profiled, write_profile
from kdbench.records.provenance import device_name, host, resolved_device
from kdbench.storage.digest import digest_of

CAPTIONS = 32


def profile_students(
    specs: Sequence[Run],
    results: Path,
    cache: Path,
    plugins: Plugins,
    device: str = "cpu",
    *,
    batches: Sequence[int] = (1, 32),
    threads: int = 1,
    seconds: float = 1.0,
    on_student: Callable[[str], None] = lambda _: None,
) -> list[Profile]:
    """Profiles of all students of the runs, in their order; those this device has measured already are read.

    To be called when no training goes on: students are measured one after the other, of all processes that use the same
    `cache` one at a time. `device` is `cpu`, `cuda` or `auto`, `seconds` how long each timing takes at least. `on_student`
    is told the name of each that is about to be measured. One that cannot be measured is warned of and left out.
    """
    device = resolved_device(device)
    todo = candidates(specs, results, device_name(device), batches, threads)
    settings = {"device": device, "batches": list(batches), "threads": threads, "seconds": seconds}
    cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache / f"profile-{host()['id']}.lock")  # a cache may serve several machines
    profiles = []
    samples: dict[str, dict[str, Any]] = {}
    for one in todo:
        profile = profiled(results, one.suite, one.id)
        if profile is None or set(one.names) - set(profile.names):
            on_student(one.names[0])
            with lock:
                profile = _kept(one, results, settings, samples, plugins)
        if profile is not None:
            profiles.append(profile)
    return profiles


def _kept(
    one: Candidate, results: Path, settings: dict[str, Any], samples: dict[str, dict[str, Any]], plugins: Plugins
) -> Profile | None:
    """The profile on disk, which another process may have written meanwhile, or a new one, with all names it goes by."""
    profile = profiled(results, one.suite, one.id) or _measured(one, settings, samples, plugins)
    if profile is None:
        return None
    names = list(dict.fromkeys([*profile.names, *one.names]))
    named = profile.model_copy(update={"id": one.id, "student": one.student, "dataset": one.dataset, "names": names})
    write_profile(results, one.suite, named)
    return named


def _measured(one: Candidate, settings: dict[str, Any], samples: dict[str, dict[str, Any]], plugins: Plugins) -> Profile | None:
    key = digest_of(plain(one.dataset))
    if key not in samples:
        samples[key] = _sample(one.dataset, plugins)
    try:
        return measured_apart({"student": one.student, "gallery": one.gallery, **samples[key], **settings})
    except Unmeasured as error:
        warnings.warn(f"student {one.names[0]}: not measured: {error}", KdbenchWarning, stacklevel=4)
        return None


def _sample(dataset: dict[str, Any], plugins: Plugins) -> dict[str, Any]:
    """How large a dataset's pictures are, and some of its captions: there are students that read nothing else."""
    with building_with(plugins):
        built = build_planned("dataset", dataset)
        return {"size": built.size, "captions": list(built.split("train").captions[:CAPTIONS])}
