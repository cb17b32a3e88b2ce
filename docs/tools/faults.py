"""The table of faults that were tried, from the counts that `make faults` keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs.tools.blocks import table

COUNTS = ("tried", "survived", "lost", "wrong")
HEADS = ["fault", *COUNTS]
FIGURES = Path(__file__).resolve().parents[2] / "results/bench/faults.json"


def faults() -> str:
    """The table, where and with what code it was made, and what could not be tried there."""
    kept = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = kept["rows"]
    skipped = [f"- {row['fault']}: {why}" for row in rows for why in row["skipped"]]
    left = ["Not tried there:\n\n" + "\n".join(skipped)] if skipped else []
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    return "\n\n".join([f"On {machines}:", table([*HEADS, "commit"], [[*cells(row), row["commit"]] for row in rows]), *left])


def cells(row: dict[str, Any]) -> list[str]:
    """What is shown of a fault."""
    return [row["fault"], *(f"{row[count]:,}" for count in COUNTS)]
