"""Which students a suite's runs have: the distinct ones, whatever they are called."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kdbench.errors import KdbenchWarning
from kdbench.records.provenance import host
from kdbench.records.record import recorded
from kdbench.storage.digest import digest_of

FORMAT = 1  # raise when the same student is to be measured anew


class Run(Protocol):
    """What is asked of a RunSpec."""

    @property
    def suite(self) -> str: ...
    @property
    def dataset(self) -> dict[str, Any]: ...
    @property
    def student(self) -> dict[str, Any]: ...
    @property
    def run_id(self) -> str: ...
    @property
    def role(self) -> str: ...


@dataclass
class Candidate:
    """A student to be measured: a plugin with its parameters, whatever it is called, on a dataset's test gallery."""

    id: str
    suite: str
    student: dict[str, Any]  # `use` and `params`
    dataset: dict[str, Any]
    gallery: int
    names: list[str] = field(default_factory=list)


def candidates(specs: Sequence[Run], results: Path, device: str, batches: Sequence[int], threads: int) -> list[Candidate]:
    """The distinct students of runs, in their order; `device` is its name.

    The size of the gallery is in the records. Warns of students none of whose runs has one.
    """
    found: dict[tuple[str, str], Candidate] = {}
    without: dict[str, str] = {}
    galleries: dict[str, int] = {}  # by dataset; students whose own runs failed are measured with the others' gallery
    for spec in specs:
        key = digest_of(plain(spec.dataset))
        if key not in galleries:
            record = recorded(results, spec.suite, spec.run_id)
            if record is not None and record.sizes.get("images"):
                galleries[key] = record.sizes["images"]
    for spec in specs:
        if spec.role:
            continue  # a teacher as it is
        name, gallery = spec.student["name"], galleries.get(digest_of(plain(spec.dataset)))
        if gallery is None:
            without[name] = spec.dataset["name"]
            continue
        student = plain(spec.student)
        identity = {
            "format": FORMAT,
            "student": student,
            "dataset": plain(spec.dataset),
            "gallery": gallery,
            "device": device,
            "host": host()["id"],
            "threads": threads,
            "batches": sorted(set(batches)),
        }
        id = digest_of(identity)[:12]
        one = found.setdefault((spec.suite, id), Candidate(id, spec.suite, student, spec.dataset, gallery))
        if name not in one.names:
            one.names.append(name)
    for name, dataset in without.items():
        message = f"student {name}: not measured, no run on {dataset} has finished, so the size of its gallery is not known"
        warnings.warn(message, KdbenchWarning, stacklevel=3)
    return list(found.values())


def plain(spec: dict[str, Any]) -> dict[str, Any]:
    """A plugin of a plan without its label."""
    return {"use": spec["use"], "params": spec["params"]}
