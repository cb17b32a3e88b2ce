"""metadata.json of an exported model: its inputs, its run, and the measurements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from kdbench.contracts.exporter import Exported
from kdbench.records.provenance import versions
from kdbench.records.record import Record
from kdbench.storage.atomic import write_text

METADATA = "metadata.json"


def write_metadata(record: Record, folder: Path, exported: Exported, measured: Mapping[str, Any]) -> None:
    """Writes the exporter's metadata, the run, what was `measured`, and versions."""
    contents = {
        "run_id": record.run_id,
        "label": record.label,
        **(exported.metadata or {}),
        "measured": {**measured, "threads": torch.get_num_threads(), "split": "test"},
        "licence_of_the_data": record.licence,
        "spec": record.spec.model_dump(mode="json"),
        "trained_with": record.versions,
        "exported_with": exported_with(exported),
    }
    write_text(folder / METADATA, json.dumps(contents, indent=1, ensure_ascii=False) + "\n")


def exported_with(exported: Exported) -> dict[str, str]:
    """Versions of kdbench, of the packages that it computes with, and of the exporter's packages."""
    return versions() | {package: version(package) for package in exported.packages}
