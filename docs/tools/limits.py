"""The table of what was measured against what is to be reached, from the figures that `make bench` keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.tools.blocks import cell, table

FIGURES = Path(__file__).resolve().parents[2] / "results/bench/limits.json"


def limits() -> str:
    """A table for each part, with the machine that it was measured on."""
    return "\n\n".join(_tables(json.loads(FIGURES.read_text(encoding="utf-8"))))


def _tables(parts: dict[str, Any]) -> Iterator[str]:
    for part in parts.values():
        lines = [[cell(each) for each in cells(row)] for row in part["rows"]]
        yield f"{table(['', 'found', 'middle half', 'goal'], lines)}\n\nOn {part['machine']}."


def cells(row: dict[str, Any]) -> list[str]:
    """What is shown of a measurement: its item, the median, the middle half of the rounds, the goal."""
    spread = f"{_number(row['low'])} to {_number(row['high'])}" if row["low"] < row["high"] else ""
    return [row["item"], f"{_number(row['found'])} {row['unit']}", spread, row["reach"]]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
