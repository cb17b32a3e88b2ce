"""Prints what was measured against what is to be reached. `python -m tests.benchmarks.limits [--large] [--write] [PART …]`.

`--large` adds what takes minutes; `--write` keeps the figures in results/bench/limits.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

import torch
from tabulate import tabulate

from tests.benchmarks.limits import commands, ranking, steps
from tests.benchmarks.limits.timing import Row
from tests.support.paths import ROOT

PARTS = {"ranking": ranking.rows, "steps": steps.rows, "commands": commands.rows}
JSON = ROOT / "results/bench/limits.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.limits")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="by default all")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = [row for name in given.parts or PARTS for row in PARTS[name](given.large)]
    print(table(rows))
    if given.write:
        JSON.parent.mkdir(parents=True, exist_ok=True)
        JSON.write_text(json.dumps({"machine": machine(), "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


def table(rows: list[Row]) -> str:
    lines = [[row.item, f"{row.found:.3g} {row.unit}", _spread(row), row.reach] for row in rows]
    return str(tabulate(lines, ["", "found", "middle half", "goal"], disable_numparse=True))


def _spread(row: Row) -> str:
    return f"{row.low:.3g} to {row.high:.3g}" if row.low < row.high else ""


def machine() -> str:
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


main()
