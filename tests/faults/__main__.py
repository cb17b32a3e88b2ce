"""Tries every fault and prints how each ended. `python -m tests.faults [--write] [PATH …]`.

With paths, only the tests there. `--write` keeps the counts in results/bench/faults.json, from which docs/robustness.md is
generated, with the commit. Exits with 1 if a test fails. Takes three quarters of an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tabulate import tabulate

from docs.tools.faults import COUNTS, FIGURES, HEADS, cells
from kdbench.records.provenance import source
from tests.support.fault_tally import VARIABLE
from tests.support.machine import machine
from tests.support.paths import ROOT

PYTEST = [sys.executable, "-m", "pytest", "-p", "tests.support.fault_tally"]
# Fuzzers side by side; what kills processes, and whatever else has a fault's mark, alone.
ALL = [
    ["--numprocesses", "2", "tests/faults"],
    ["-m", "faults or fault", "--ignore", "tests/benchmarks", "--ignore", "tests/faults"],
    ["tests/benchmarks/test_sweep_kills.py"],
]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("paths", nargs="*", help="by default all")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        lines = Path(folder) / "lines.jsonl"
        lines.touch()
        environment = os.environ | {VARIABLE: str(lines)}
        runs = [given.paths] if given.paths else ALL
        codes = [subprocess.run([*PYTEST, *run], cwd=ROOT, env=environment, check=False).returncode for run in runs]
        where = {"machine": machine(), "commit": (source()["commit"] or "")[:8]}
        rows = [row | where for row in table([json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()])]
    print(tabulate(map(cells, rows), HEADS, disable_numparse=True), flush=True)
    if given.write:
        kept = json.loads(FIGURES.read_text(encoding="utf-8"))["rows"] if given.paths and FIGURES.exists() else []
        known = {row["fault"]: row for row in kept} | {row["fault"]: row for row in rows}
        written = {"rows": [known[name] for name in sorted(known)]}
        FIGURES.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any(codes))


def table(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    """A row for each fault, in the order of names: its counts, and why tests of it were skipped."""
    rows: list[dict[str, object]] = []
    for name in sorted({str(line["fault"]) for line in lines}):
        own = [line for line in lines if line["fault"] == name]
        counts = {count: sum(int(str(line.get(count, 0))) for line in own) for count in COUNTS}
        rows.append({"fault": name, **counts, "skipped": sorted({str(line["skipped"]) for line in own if "skipped" in line})})
    return rows


if __name__ == "__main__":
    sys.exit(main())
