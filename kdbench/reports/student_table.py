"""The table of students: what each costs at inference. Timings of two devices do not compare, so each has a table."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from kdbench.records.profile import Memory, Profile, Timing
from kdbench.records.provenance import machine_of

MILLION, GIGA = 10**6, 10**9


@dataclass(frozen=True)
class StudentRow:
    """One student. Parameters in millions, FLOPs of one input in 10⁹, sizes in MB (10⁶ bytes), times in milliseconds."""

    student: str
    parameters: dict[str, float]  # of each part, then `total`
    gflops: dict[str, float]  # of each part
    latency: dict[str, Timing]  # by part and batch: `image @1`, `text @32`
    memory: Memory | None
    size_mb: float
    search: Timing | None
    extra: dict[str, float]
    unstable: list[str]  # why timings may not be repeatable


@dataclass(frozen=True)
class StudentsTable:
    """Rows that may be compared: one device of one machine, its threads, one version of torch, the same parts, batches and
    gallery (None if the task does not search one)."""

    device: str
    host: str
    threads: int
    torch: str
    dataset: str
    gallery: int | None
    parts: list[str]
    batches: list[int]
    rows: list[StudentRow]

    @property
    def title(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads != 1 else ''}"
        gallery = f", gallery of {self.gallery:,}" if self.gallery is not None else ""
        return f"Students on {self.device} · {threads} · torch {self.torch} · {self.dataset}{gallery}"

    @property
    def notes(self) -> list[str]:
        """Of the timings marked in the table."""
        return [f"{row.student}: {reason}" for row in self.rows for reason in row.unstable]


def students_table(profiles: Iterable[Profile]) -> list[StudentsTable]:
    """Fewest parameters first; each profile once. Rows of different devices never share a table."""
    groups: dict[str, list[Profile]] = defaultdict(list)
    seen: set[str] = set()
    for profile in profiles:
        if not profile.id or profile.id not in seen:
            seen.add(profile.id)
            groups[_comparable(profile)].append(profile)
    return [_table(group) for _, group in sorted(groups.items())]


def _comparable(profile: Profile) -> str:
    dataset = profile.dataset.get("name", "")
    versions = profile.versions.get("torch", "")
    parts = [[name, sorted(part.latency)] for name, part in profile.parts.items()]
    return json.dumps([profile.device, *machine_of(profile.host), profile.threads, versions, dataset, profile.gallery, parts])


def _table(profiles: list[Profile]) -> StudentsTable:
    first = profiles[0]
    cpu = first.host.get("cpu")
    return StudentsTable(
        device=f"{first.device} ({cpu})" if first.device == "cpu" and cpu else first.device,
        host=str(first.host.get("id", "")),
        threads=first.threads,
        torch=first.versions.get("torch", "of unknown version"),
        dataset=first.dataset.get("name", "unknown"),
        gallery=first.gallery,
        parts=list(first.parts),
        batches=sorted({batch for part in first.parts.values() for batch in part.latency}),
        rows=sorted((_row(profile) for profile in profiles), key=lambda row: (row.parameters["total"], row.student)),
    )


def _row(profile: Profile) -> StudentRow:
    parameters = {name: part.parameters for name, part in profile.parts.items()} | {"total": profile.parameters}
    batches = sorted({batch for part in profile.parts.values() for batch in part.latency})
    return StudentRow(
        student=", ".join(profile.names) or "unnamed",
        parameters={name: count / MILLION for name, count in parameters.items()},
        gflops={name: part.flops / GIGA for name, part in profile.parts.items()},
        latency={
            f"{name} @{batch}": part.latency[batch]
            for batch in batches
            for name, part in profile.parts.items()
            if batch in part.latency
        },
        memory=profile.memory,
        size_mb=profile.size_bytes / MILLION,
        search=profile.search,
        extra=profile.extra,
        unstable=profile.reasons,
    )
