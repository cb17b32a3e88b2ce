"""metadata.json says what the exporter, the record and the measurements say."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from kdbench.contracts.exporter import Exported
from kdbench.deploy.export.metadata import exported_with, write_metadata
from tests.support.export_runs import linear


def test_it_holds_the_run_and_what_was_measured(tmp_path: Path) -> None:
    record = linear().record
    exported = Exported((), metadata={"scale": 2.5}, packages=("pluggy",))
    write_metadata(record, tmp_path, exported, {"difference": 0.5})
    found = json.loads((tmp_path / "metadata.json").read_text())
    assert found["scale"] == 2.5
    assert (found["run_id"], found["label"]) == (record.run_id, record.label)
    assert found["measured"] == {"difference": 0.5, "threads": 1, "split": "test"}
    assert found["spec"] == record.spec.model_dump(mode="json")
    assert found["trained_with"] == record.versions
    assert found["exported_with"] == exported_with(exported)
    assert found["exported_with"]["pluggy"] == version("pluggy")
