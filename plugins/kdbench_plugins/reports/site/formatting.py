"""Numbers as a page shows them and as it sorts them."""

from __future__ import annotations

import math

from kdbench.contracts import Metric
from kdbench.statistics.value import Value

NONE = "–"


def number(value: float | None, digits: int = 1) -> str:
    """A number with a fixed number of decimals and thousands separators; `–` if there is none."""
    return NONE if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def percent(share: float | None) -> str:
    """A fraction, 0 to 1, in percent."""
    return number(None if share is None else 100 * share)


def seconds(value: float | None) -> str:
    """Seconds, without decimals from ten seconds."""
    return number(value, 0 if value is not None and abs(value) >= 10 else 1)


def order(value: float | None) -> str:
    """The sort key of a number; empty, which sorts first, if there is none."""
    return "" if value is None or not math.isfinite(value) else repr(round(float(value), 6))


def measure(value: float | None, metric: Metric) -> str:
    """A metric's shown value with its decimals."""
    return number(value, metric.decimals)


def interval(value: Value, metric: Metric) -> str:
    """The ends of the interval in words, after the quantity behind a mean of logarithms."""
    aside = f"{metric.aside(value.mean)}; " if metric.inverse and math.isfinite(value.mean) else ""
    return f"{aside}95 % interval {measure(value.low, metric)} to {measure(value.high, metric)}"
