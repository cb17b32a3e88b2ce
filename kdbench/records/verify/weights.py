"""Mean weights sum to one, unless the strategy says that its own need not."""

from __future__ import annotations

from collections.abc import Iterator

from kdbench.errors import KdbenchError
from kdbench.plugins.loading import Plugins, installed
from kdbench.records.problem import Problem
from kdbench.records.record import Record
from kdbench.suite.spec import PluginSpec

CLOSE = 1e-3  # what training allows a step


def weight_problems(record: Record, where: str, plugins: Plugins | None) -> Iterator[Problem]:
    """`plugins` tell which strategies may have weights with another sum; those installed do by default."""
    weights = record.weights
    total = sum(weights.values())
    if not weights or (abs(total - 1) <= CLOSE and min(weights.values()) >= -CLOSE):
        return
    raw = _raw(record.spec.strategy, plugins)
    if raw is True and abs(total) < float("inf"):  # any finite weights will do
        return
    reason = f"; {raw}" if isinstance(raw, str) else ""
    shown = ", ".join(f"{name} {weight!r}" for name, weight in weights.items())
    yield Problem(where, "weights", f"{shown}: a sum of {total:.6g}", f"none negative and a sum of 1{reason}")


def _raw(strategy: PluginSpec | None, plugins: Plugins | None) -> bool | str:
    """Whether the strategy's weights may be any, or why that is not known."""
    if strategy is None:
        return False
    from kdbench.plugins.building import build_spec, building_with

    try:
        with building_with(plugins or installed()):
            return bool(getattr(build_spec("strategy", strategy), "raw", False))
    except (KdbenchError, KeyError, TypeError, ValueError, ImportError) as error:
        return f"whether {strategy.name!r} may have others is not known: {error}"
