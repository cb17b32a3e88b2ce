"""Plots as plotly reads them. Colours are names of CSS variables, which the page looks up for the reader's scheme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Figure = dict[str, Any]


def plain(text: object) -> str:
    """For plotly, which takes some tags and entities in a text for markup."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def finite(value: float) -> float | None:
    """A gap for what is no number, which JSON cannot write."""
    return value if math.isfinite(value) else None


def bars(halves: Sequence[float], colour: str) -> Figure:
    """Intervals, by half their widths."""
    return {"type": "data", "array": [finite(half) for half in halves], "color": colour, "thickness": 1, "width": 3}


def curves(steps: Sequence[object], columns: Mapping[str, Sequence[object]]) -> Figure:
    """Lines over the steps of a run."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": plain(name),
            "x": list(steps),
            "y": list(column),
            "line": {"color": f"--line-{1 + place % 6}", "width": 2, "dash": ("solid", "dash", "dot")[place // 6 % 3]},
            "hoverinfo": "x+y+name",
        }
        for place, (name, column) in enumerate(columns.items())
    ]
    layout = {"xaxis": {"title": "step"}, "yaxis": {}, "height": 300}
    return {"traces": traces, "layout": layout, "levels": []}
