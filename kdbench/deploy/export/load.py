"""Loads the student of a record with the weights that were evaluated."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import nn

from kdbench.errors import KdbenchError, KdbenchWarning
from kdbench.plugins.building import build_spec, building_with
from kdbench.plugins.loading import Plugins
from kdbench.records.examine_parts import examine_parts
from kdbench.records.parts import differences, weights_identity
from kdbench.records.record import Record
from kdbench.storage.cache import Cache

KIND = "students"  # of cache entries


def trained_student(record: Record, plugins: Plugins, cache: Cache) -> Any:
    """Builds the student of `record`, finalized, with its trained weights from the cache, in eval mode on the CPU.

    Does not change the state of torch's global generator. Raises KdbenchError if the run trained no student, if the cache
    does not hold its weights, or if they do not fit the student that the plugin builds now.
    """
    weights = weights_of(record, cache)
    _tell_changes(record, plugins, cache)
    with building_with(plugins), torch.random.fork_rng(devices=[]):
        student = build_spec("student", record.spec.student)
        finalize = getattr(student, "finalize", None)
        if finalize:
            student.module = finalize()
    module = cast(nn.Module, student.module)
    try:
        module.load_state_dict(load_file(weights))
    except RuntimeError as error:  # torch lists every tensor that is missing, unexpected or of another shape
        raise KdbenchError(
            f"run {record.run_id}: the cached weights do not fit the student {record.spec.student.name!r} as its plugin builds "
            f"it now ({' '.join(str(error).split())[:300]}); install the versions it was trained with, {_versions(record)}"
        ) from error
    module.eval()
    return student


def weights_kept(record: Record, cache: Cache) -> bool:
    """Whether the cache holds the weights of a run that trained a student; they may be damaged."""
    if record.arrays_sha256 is None or record.spec.reference or record.spec.trained_on is not None:
        return False
    return cache.holds(KIND, weights_identity(record.run_id, record.arrays_sha256, record.parts))


def _tell_changes(record: Record, plugins: Plugins, cache: Cache) -> None:
    """Warns if the student's code or files have changed since its run: the same weights may then compute something else."""
    if not record.parts:
        return
    student = f"student {record.spec.student.name}"
    then = {name: part for name, part in record.parts.items() if name == student or name.startswith(f"{student}.")}
    for changed in differences(then, examine_parts(record.spec, plugins, cache)):
        message = f"run {record.run_id}: {changed} since it was trained; its weights may compute something else now"
        warnings.warn(message, KdbenchWarning, stacklevel=3)


def weights_of(record: Record, cache: Cache) -> Path:
    """The file of a run's trained weights in the cache. Raises KdbenchError as `trained_student` does."""
    if record.spec.reference:
        raise KdbenchError(
            f"run {record.run_id} ({record.label}) is a reference, a teacher itself; expected a run that trained a student"
        )
    if record.spec.trained_on is not None:
        raise KdbenchError(
            f"run {record.run_id} ({record.label}) evaluates the student of another run; expected that one, "
            f"{record.spec.training.run_id}"
        )
    if record.status != "ok" or record.arrays_sha256 is None:
        raise KdbenchError(
            f"run {record.run_id} ({record.label}) has the status {record.status!r}; expected 'ok': there is no trained student"
        )
    identity = weights_identity(record.run_id, record.arrays_sha256, record.parts)
    missing = KdbenchError(
        f"the weights of run {record.run_id} ({record.label}) are missing in the cache {cache.root} or damaged. They are kept "
        "in the cache of the training, not in results: name that one with --cache, or remove the record and run the suite "
        f"{record.spec.suite!r} again with this one"
    )

    def make(_: Path) -> None:
        raise missing  # only a training makes weights; a damaged entry also ends here

    if not cache.holds(KIND, identity):
        raise missing
    return cache.entry(KIND, identity, make).folder / "weights.safetensors"


def _versions(record: Record) -> str:
    return ", ".join(f"{name} {version}" for name, version in record.versions.items())
