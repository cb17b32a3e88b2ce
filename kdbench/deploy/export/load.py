"""The student of a record, with the weights its figures were measured with."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file
from torch import nn

from kdbench.contracts import Student
from kdbench.errors import KdbenchError
from kdbench.plugins.building import build_planned, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.record import Record
from kdbench.storage.cache import Cache

KIND = "students"  # of cache entries


def trained_student(record: Record, plugins: Plugins, cache: Cache) -> Student:
    """Builds the student of `record`, finalized, with the weights kept when it was trained, in eval mode on the CPU.

    torch's global generator is left as it was. Raises KdbenchError where the run has no trained student, where the cache
    does not hold its weights, and where they no longer fit what the plugin builds.
    """
    weights = _kept(record, cache)
    with building_with(plugins), torch.random.fork_rng(devices=[]):
        student: Student = build_planned("student", record.spec["student"])
        finalize = getattr(student, "finalize", None)
        if finalize:
            student.module = finalize()
    module = cast(nn.Module, student.module)
    try:
        module.load_state_dict(load_file(weights))
    except RuntimeError as error:  # torch names every tensor that is missing, left over or of another shape
        raise KdbenchError(
            f"run {record.run_id}: the kept weights do not fit the student {record.spec['student']['name']!r} as its plugin "
            f"builds it now ({' '.join(str(error).split())[:300]}); install the versions it was trained with, "
            f"{_versions(record)}"
        ) from error
    module.eval()
    return student


def _kept(record: Record, cache: Cache) -> Path:
    if record.spec.get("role") == "reference":
        raise KdbenchError(
            f"run {record.run_id} ({record.label}) is a reference, a teacher that was ranked as it is; expected a run that "
            "trained a student"
        )
    if record.status != "ok" or record.ranks_sha256 is None:
        raise KdbenchError(
            f"run {record.run_id} ({record.label}) has the status {record.status!r}; expected 'ok': it left no trained student"
        )
    identity = {"run_id": record.run_id, "ranks": record.ranks_sha256}
    missing = KdbenchError(
        f"the weights of run {record.run_id} ({record.label}) are not in the cache {cache.root}, or not whole. They are kept "
        "in the cache where a run was trained, not in results: export with that cache, or remove the record and run the "
        f"suite {record.spec['suite']!r} again with this one"
    )

    def make(_: Path) -> None:
        raise missing  # what is exported was trained, never made up; a damaged entry ends here too

    if not cache.holds(KIND, identity):
        raise missing
    return cache.entry(KIND, identity, make).folder / "weights.safetensors"


def _versions(record: Record) -> str:
    return ", ".join(f"{name} {version}" for name, version in record.versions.items())
