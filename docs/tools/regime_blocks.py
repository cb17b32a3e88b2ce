"""What published regimes advise, and which differences their runs resolve."""

from __future__ import annotations

from collections.abc import Sequence

from docs.tools.blocks import cell, table
from docs.tools.result_blocks import read
from kdbench.contracts import Metric
from kdbench.reports.regimes import Regime, advice, maps

FLAGSHIP = "ammkd"  # the strategy whose evidence the paragraph states


def regimes_advice(folder: str) -> str:
    """The paragraph of each map of a folder's regimes."""
    return "\n\n".join(advice(found, about=[FLAGSHIP]) for found in maps(read(folder)[1].regimes))


def regimes_resolution(folder: str) -> str:
    """For each regime its runs and hours, the smallest difference that half of its comparisons with equal weights would find
    (80 % power, 5 %), and the gain of the best strategy that anybody can use, in each metric with a margin."""
    found = read(folder)[1].regimes
    if not found:
        return ""
    metrics = [metric for metric in found[0].table.metrics if metric.margin]
    heads = ["regime", "rows", "runs", "hours", *(f"resolves, {metric.label}" for metric in metrics), "best strategy"]
    heads += [f"its gain, {metric.label}" for metric in metrics]
    return table(heads, [_line(one, metrics) for one in found])


def _line(one: Regime, metrics: Sequence[Metric]) -> list[str]:
    counted = [str(len(one.table.rows)), str(one.runs), f"{one.seconds / 3600:.1f}"]
    resolved = ["–" if (value := one.resolves(metric)) is None else f"{value:.{metric.decimals}f}" for metric in metrics]
    best = next(iter(one.usable), None)  # gains are sorted, best first
    gains = [f"{best.by_metric[metric.name]:+.{metric.decimals}f}" if best else "–" for metric in metrics]
    return [cell(one.name), *counted, *resolved, cell(f"{best.label}, {best.found}" if best else "–"), *gains]
