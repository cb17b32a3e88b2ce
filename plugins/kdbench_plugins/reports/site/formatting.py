"""Figures as a page shows them, and as it sorts them."""

from __future__ import annotations

import json
import math
from typing import Any

from kdbench.reports.board import Value

NONE = "–"


def number(value: float | None, digits: int = 1) -> str:
    """With a fixed number of digits after the point and thousands marked; `–` where there is none."""
    return NONE if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def percent(share: float | None) -> str:
    """A share, 0 to 1, in percent."""
    return number(None if share is None else 100 * share)


def seconds(value: float | None) -> str:
    """Whole seconds from ten on."""
    return number(value, 0 if value is not None and abs(value) >= 10 else 1)


def order(value: float | None) -> str:
    """What a column of figures is sorted by: empty, before all figures, where there is none."""
    return "" if value is None or not math.isfinite(value) else repr(round(float(value), 6))


def interval(value: Value) -> str:
    """The ends of the interval in words."""
    return f"95 % interval {number(value.low)} to {number(value.high)}"


def value(found: float | None) -> str:
    """A figure of any size: four digits, or all before the point; counts as they are."""
    if found is None or not math.isfinite(found):
        return NONE
    return f"{found:,.0f}" if abs(found) >= (100 if float(found).is_integer() else 1000) else f"{found:#.4g}"


def setting(found: Any) -> str:
    """A parameter's value, short."""
    return found if isinstance(found, str) else f"{found:.4g}" if isinstance(found, float) else json.dumps(found)
