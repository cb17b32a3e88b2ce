"""Students to profile: the runs of a suite that train them, their records, and a request to measure one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdbench.deploy.profile.own_process import Request
from kdbench.records.files import write_record
from kdbench.records.record import Record
from kdbench.suite.spec import RunSpec
from tests.support.toys import plugged, retrieval_spec, run_spec

REQUEST = Request(
    task=retrieval_spec(),
    student=plugged("toy", width=4096),
    samples={"size": 6, "captions": ["train string red green blue red green blue"]},
    gallery=20,
    device="cpu",
    batch_sizes=(1, 2),
    threads=1,
    seconds=0.001,
)
WIDE = plugged("toy", "wide", width=16)
SPECS = [run_spec(seed=seed, student=student) for seed in (0, 1) for student in (plugged("toy"), WIDE)]


def keep(results: Path, spec: RunSpec, **changes: Any) -> None:
    """Writes the record of a run whose test split has 20 images."""
    fields: dict[str, Any] = {
        **{"run_id": spec.run_id, "cell_id": spec.cell_id, "label": spec.label, "status": "ok", "spec": spec},
        **{"sizes": {"images": 20, "captions": 30, "concepts": 10}, "versions": {}, "commit": None, "dirty": None},
        **{"host": {}, "device": "cpu", "threads": 1, "started": "", "finished": ""},
    }
    write_record(results, Record(**fields | changes))
