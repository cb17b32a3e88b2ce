"""Measures a student: what its towers hold, compute and take on one device."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kdbench.contracts import Student
from kdbench.deploy.profile.counts import count, exported_bytes, tower_flops, tower_parameters
from kdbench.deploy.profile.subject import TOWERS, Items, Subject, TowerName, subject_of
from kdbench.deploy.profile.timing import doubts, load, search_latency, tower_latency
from kdbench.records.profile import Memory, Profile, Timing, Tower
from kdbench.records.provenance import device_name, host, source, versions

BATCHES = (1, 32)
SECONDS = 1.0


def measure(
    student: Student,
    gallery: int,
    device: str,
    *,
    items: Items | None = None,
    batches: Sequence[int] = BATCHES,
    threads: int = 1,
    seconds: float = SECONDS,
) -> Profile:
    """The profile of a student on a device, without its memory, which only a process of its own can tell.

    `gallery` is how many images a query is compared with, `seconds` how long each timing takes at least, `items` what the
    student's encoders read. A student's `finalize` is called; the module is left in its modes, on its device, without
    gradients and as trainable as before.
    """
    subject = subject_of(student, items or Items(), max(1, *batches))
    return examine(subject, gallery, device, batches=batches, threads=threads, seconds=seconds)


def examine(
    subject: Subject,
    gallery: int,
    device: str,
    *,
    batches: Sequence[int] = BATCHES,
    threads: int = 1,
    seconds: float = SECONDS,
    memory: Memory | None = None,
) -> Profile:
    """The same of a subject, whose memory has been measured or has not."""
    before = load()
    home = str(next((parameter.device for parameter in subject.module.parameters()), "cpu"))
    # First: what a module keeps of a pass in inference mode, such as a mask, could have no gradient pass through it.
    towers = {tower: _counts(subject, tower) for tower in TOWERS}
    try:
        moved = subject.to(device)
        latency = {
            tower: {batch: tower_latency(moved, tower, batch, threads, seconds) for batch in sorted(set(batches))}
            for tower in TOWERS
        }
        search = search_latency(gallery, subject.width, device, threads, seconds)
    finally:
        subject.module.to(home)
    reasons = doubts(_named(latency, search), before, threads)
    return Profile(
        image=Tower(**towers["image"], latency=latency["image"]),
        text=Tower(**towers["text"], latency=latency["text"]),
        parameters=count(list(subject.module.parameters())),
        size_bytes=exported_bytes(subject.module),
        memory=memory,
        gallery=gallery,
        search=search,
        unstable=bool(reasons),
        reasons=reasons,
        load=[value for value in (before, load()) if value is not None],
        device=device_name(device),
        threads=threads,
        host=host(),
        versions=versions(),
        measured=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **source(),
    )


def _counts(subject: Subject, tower: TowerName) -> dict[str, int]:
    return {"parameters": count(tower_parameters(subject, tower)), "flops": tower_flops(subject, tower)}


def _named(latency: dict[TowerName, dict[int, Timing]], search: Timing) -> dict[str, Timing]:
    """What tables call each timing."""
    towers = {f"{tower} ms @{batch}": timing for tower, found in latency.items() for batch, timing in found.items()}
    return towers | {"search ms": search}
