"""The quickstart on a bare machine: cloned, installed without pip's cache, run without kdbench's. Takes ten minutes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.limits.timing import Row, row
from tests.support.paths import ROOT

ROUNDS = 2
PARTS = ("  installing", "  decoding, encoding and training the teachers", "  five runs")


def rows(large: bool) -> list[Row]:
    if not large:
        return []
    measured = [_once() for _ in range(ROUNDS)]
    names = (
        "`make quickstart` on a bare machine",
        "  installing",
        "  decoding, encoding and training the teachers",
        "  five runs",
    )
    totals = [sum(parts) for parts in measured]
    columns = [totals, *zip(*measured, strict=True)]
    return [row(name, column, "s", "≤ 420" if column is totals else "") for name, column in zip(names, columns, strict=True)]


def _once() -> tuple[float, float, float]:
    """Seconds of its three parts."""
    with TemporaryDirectory() as folder:
        clone = Path(folder) / "kdbench"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        variables |= {"KDBENCH_CACHE": str(Path(folder) / "cache"), "PIP_NO_CACHE_DIR": "1"}

        def make(target: str) -> float:
            subprocess.run(["make", target], cwd=clone, env=variables, check=True, stdout=subprocess.DEVNULL)
            return time.time()

        began = time.time()
        installed = make(".venv/quickstart")
        ended = make("quickstart")
        records = [path for path in (clone / "results/quickstart").glob("*.json") if "." not in path.stem]
        taught = min(map(_started, records))
    return installed - began, taught - installed, ended - taught


def _started(record: Path) -> float:
    """When a run began, in seconds since the epoch."""
    return datetime.fromisoformat(json.loads(record.read_text(encoding="utf-8"))["started"]).timestamp()
