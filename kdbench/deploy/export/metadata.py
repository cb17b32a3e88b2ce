"""What goes with ONNX towers: how to feed them, where they come from, and what they were measured at."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from kdbench.contracts import Student
from kdbench.deploy.export.onnx_runtime import TOWERS, session, tower_path
from kdbench.deploy.export.open_clip import described
from kdbench.errors import KdbenchError
from kdbench.records.provenance import versions
from kdbench.records.record import Record

METADATA = "metadata.json"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def write_metadata(record: Record, student: Student, folder: Path, measured: dict[str, Any]) -> None:
    """Writes metadata.json: by tower its file's own metadata (type and shape of input and output), the scale of the logits,
    the run, what was `measured`, and for a model of open_clip its config, which names tokenizer and preprocessing."""
    contents = {
        "run_id": record.run_id,
        "label": record.label,
        "towers": {tower: dict(session(tower_path(folder, tower)).get_modelmeta().custom_metadata_map) for tower in TOWERS},
        "logit_scale": student.module.logit_scale.exp().item(),
        "open_clip": _config(student),
        "measured": measured | {"threads": torch.get_num_threads(), "split": "test"},
        "licence_of_the_data": record.licence,
        "spec": record.spec,
        "trained_with": record.versions,
        "exported_with": versions() | {package: version(package) for package in PACKAGES},
    }
    (folder / METADATA).write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _config(student: Student) -> dict[str, Any] | None:
    try:
        return described(student, "")[0]
    except KdbenchError:  # no model of open_clip
        return None
