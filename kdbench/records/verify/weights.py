"""Checks that mean weights sum to one, unless the strategy is `raw`."""

from __future__ import annotations

from collections.abc import Iterator

from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins, installed
from kdbench.records.problem import Problem
from kdbench.records.record import Record
from kdbench.suite.spec import PluginSpec

CLOSE = 1e-3  # tolerance of training per step


def weight_problems(record: Record, where: str, plugins: Plugins | None) -> Iterator[Problem]:
    """Yields a problem if mean weights are invalid. `plugins` offer the strategies, by default the installed ones."""
    weights = record.weights
    total = sum(weights.values())
    if not weights or (abs(total - 1) <= CLOSE and min(weights.values()) >= -CLOSE):
        return
    raws = [_raw(strategy, plugins) for strategy in record.spec.strategies]
    if True in raws and abs(total) < float("inf"):  # any finite weights are valid
        return
    reason = next((f"; {raw}" for raw in raws if isinstance(raw, str)), "")
    shown = ", ".join(f"{name} {weight!r}" for name, weight in weights.items())
    yield Problem(where, "weights", f"{shown}: a sum of {total:.6g}", f"none negative and a sum of 1{reason}")


def _raw(strategy: PluginSpec, plugins: Plugins | None) -> bool | str:
    """Whether the strategy's weights may have any sum, or why that is unknown."""
    from kdbench.plugins.building import build_spec, building_with

    try:
        with building_with(plugins or installed()):
            return bool(getattr(build_spec("strategy", strategy), "raw", False))
    except (KdbenchError, KeyError, TypeError, ValueError, ImportError) as error:
        return f"whether {strategy.name!r} allows others is unknown: {error}"
