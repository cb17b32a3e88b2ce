"""A run's checkpoint. Training resumes only what the same code, data and versions began for the same run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from kdbench.records.parts import Part, Parts, differences
from kdbench.records.provenance import versions
from kdbench.storage.checkpoint import Checkpoint

FORMAT = 1  # of what a training keeps: raised when a checkpoint of the code before could not be resumed
FILE = "checkpoint.safetensors"
VERSIONS = ("kdbench", "torch")  # packages of which another version may train otherwise


class Origin(BaseModel):
    """The training that a checkpoint belongs to."""

    format: int
    run: str
    data: str  # digest
    versions: dict[str, str]
    parts: dict[str, Part]


def checkpoint_of(folder: Path, run: str, data: str, parts: Parts) -> Checkpoint:
    """The checkpoint in a run's scratch folder. `data` is the digest of its dataset."""
    relevant = {name: versions().get(name, "") for name in VERSIONS}
    origin = Origin(format=FORMAT, run=run, data=data, versions=relevant, parts=dict(parts))
    return Checkpoint(folder / FILE, origin.model_dump_json(), lambda found: _changes(found, origin))


def _changes(found: str, now: Origin) -> str:
    """What has changed since a checkpoint was written, as a clause; "" if nothing has."""
    try:
        then = Origin.model_validate_json(found)
    except ValidationError:
        return "it does not say which training it is of"
    changes = [*_values(then, now), *differences(then.parts, now.parts)]
    return f"{'; '.join(changes)} since it was written" if changes else ""


def _values(then: Origin, now: Origin) -> Iterator[str]:
    if then.format != now.format:
        yield f"the format of checkpoints is {now.format}, it was {then.format}"
    if then.run != now.run:
        yield f"the run is {now.run}, it was {then.run}"
    if then.data != now.data:
        yield f"the data have digest {now.data[:12]}, it was {then.data[:12]}"
    for name in sorted(then.versions.keys() | now.versions.keys()):
        old, new = (versions.get(name, "unknown") for versions in (then.versions, now.versions))
        if old != new:
            yield f"{name} is {new}, it was {old}"
