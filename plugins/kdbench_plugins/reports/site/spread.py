"""The plot of what seeds do: every run of a table as a dot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kdbench.reports.board import Row, Table
from kdbench.reports.site.plots import Figure, bars, finite, plain
from kdbench.reports.site.shown import interval, number

HEAD, LINE = 110, 24  # pixels: what a plot of rows needs beside them, and for each


def short_names(rows: Sequence[Row]) -> list[str]:
    """As short as tells the rows apart: without the teachers where all strategies have the same."""
    teams = {row.team for row in rows if row.strategy}
    if len(teams) > 1:
        return [row.name for row in rows]
    names = [(f"{row.variant}: " if row.variant else "") + row.strategy if row.strategy else row.name for row in rows]
    seen = Counter(names)
    return [row.name if seen[name] > 1 else name for row, name in zip(rows, names, strict=True)]


def spread_figure(table: Table) -> Figure:
    """RSUM of each run as a dot, the mean of its row with its interval, best row on top."""
    rows = [row for row in table.rows if "rsum" in row.values]
    dots = [(place, seed, value) for place, row in enumerate(rows) for seed, value in row.by_seed.items()]
    means = [row.values["rsum"] for row in rows]
    places = list(range(len(rows)))
    mean = {
        "name": "mean with its 95 % interval",
        "x": [finite(value.mean) for value in means],
        "y": places,
        "error_x": bars([value.half for value in means], "--front"),
        "marker": {"color": "--front", "size": 9, "symbol": "diamond"},
        "hovertext": [
            f"<b>{plain(row.name)}</b><br>mean {number(value.mean)}, {interval(value)}"
            for row, value in zip(rows, means, strict=True)
        ],
    }
    run = {
        "name": "one run",
        "x": [finite(value) for _, _, value in dots],
        "y": [place for place, _, _ in dots],
        "marker": {"color": "--dot", "size": 7, "line": {"color": "--dot-edge", "width": 1}},
        "hovertext": [f"<b>{plain(rows[place].name)}</b><br>seed {seed}: {number(value)}" for place, seed, value in dots],
    }
    ticks = [plain(name) for name in short_names(rows)]
    axis = {"tickvals": places, "ticktext": ticks, "range": [len(rows) - 0.5, -0.5], "ticks": ""}
    return {
        "traces": [{"type": "scatter", "mode": "markers", "hoverinfo": "text", **trace} for trace in (mean, run)],
        "layout": {"xaxis": {"title": "RSUM, %"}, "yaxis": axis, "height": HEAD + LINE * max(2, len(rows))},
        "levels": [],
    }
