"""CSV as a spreadsheet opens it: text in it is text, never a formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdbench.contracts.neutral import neutral

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")  # of what a spreadsheet computes


def csv_of(rows: Sequence[dict[str, Any]]) -> str:
    """A line for each row under a header of all keys; empty without rows. Text that would be a formula begins with `'`."""
    import pandas as pd  # only here: half a second that other formats need not pay

    safe = [{_text(name): _text(value) for name, value in row.items()} for row in rows]
    return str(pd.DataFrame(safe).to_csv(index=False)).rstrip("\n")


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return neutral(f"'{value}" if value.startswith(STARTS) else value)
