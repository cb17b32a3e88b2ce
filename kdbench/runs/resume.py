"""Where a run's checkpoint lies. Training resumes only what the same code began with the same files."""

from __future__ import annotations

import warnings
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kdbench.errors import KdbenchWarning
from kdbench.records.parts import Part, Parts, differences
from kdbench.storage.atomic import write_bytes

CHECKPOINT = "checkpoint.safetensors"
PARTS = f"{CHECKPOINT}.parts.json"  # beside it: the parts of the run that it belongs to
_parts = TypeAdapter(dict[str, Part])


def checkpoint_of(folder: Path, parts: Parts) -> Path:
    """The path of a run's checkpoint in its scratch folder. Removes, with a warning, one that other code or files have made."""
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists() and (changed := _changed(folder / PARTS, parts)):
        message = f"{checkpoint} is removed and the training starts anew: {changed} since it was written"
        warnings.warn(message, KdbenchWarning, stacklevel=2)
        checkpoint.unlink()
    write_bytes(folder / PARTS, _parts.dump_json(dict(parts)))
    return checkpoint


def _changed(written: Path, parts: Parts) -> str:
    """What has changed since a checkpoint was written, as a clause; "" if nothing has."""
    try:
        then = _parts.validate_json(written.read_bytes())
    except (OSError, ValidationError):
        return "it is not known what has changed"
    return "; ".join(differences(then, parts))
