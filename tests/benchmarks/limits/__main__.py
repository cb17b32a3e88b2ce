"""Prints what was measured against what is to be reached. `python -m tests.benchmarks.limits [--large] [--write] [PART …]`.

`--large` adds what takes minutes; `--write` keeps the figures in results/bench/limits.json, from which docs/benchmarks.md is
generated.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from tabulate import tabulate

from docs.tools.limits import FIGURES, HEADS, cells
from tests.benchmarks.limits import commands, quickstart, ranking, running, steps
from tests.support.machine import machine

PARTS = {
    "ranking": ranking.rows,
    "steps": steps.rows,
    "running": running.rows,
    "commands": commands.rows,
    "quickstart": quickstart.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.limits")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="by default all")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    for name in given.parts or PARTS:
        rows = [asdict(row) for row in PARTS[name](given.large)]
        print(tabulate(map(cells, rows), HEADS, disable_numparse=True), flush=True)
        if given.write and rows:
            kept = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
            FIGURES.parent.mkdir(parents=True, exist_ok=True)
            kept[name] = {"machine": machine(), "rows": rows}
            FIGURES.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


main()
