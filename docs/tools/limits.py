"""The table of what was measured against what is to be reached, from the figures that `make bench` keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs.tools.blocks import cell, table

HEADS = ["what", "found", "middle half", "goal"]
FIGURES = Path(__file__).resolve().parents[2] / "results/bench/limits.json"


def limits() -> str:
    """A table for each machine that parts were measured on."""
    by_machine: dict[str, list[dict[str, Any]]] = {}
    for part in json.loads(FIGURES.read_text(encoding="utf-8")).values():
        by_machine.setdefault(part["machine"], []).extend(part["rows"])
    return "\n\n".join(
        f"On {machine}:\n\n{table(HEADS, [[cell(each) for each in cells(row)] for row in rows])}"
        for machine, rows in by_machine.items()
    )


def cells(row: dict[str, Any]) -> list[str]:
    """What is shown of a measurement: its item, the median, the middle half of the rounds, the goal."""
    spread = f"{_number(row['low'])} to {_number(row['high'])}" if row["low"] < row["high"] else ""
    return [row["item"], f"{_number(row['found'])} {row['unit']}", spread, row["reach"]]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
