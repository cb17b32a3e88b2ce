"""Regimes for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdbench.reports.regimes.advice import advice
from kdbench.reports.regimes.gains import Gain, Regime, maps


def plain_maps(found: Sequence[Regime]) -> list[dict[str, Any]]:
    """Each map of `maps` as JSON values: its advice, and of each regime the id of its table and the gains of its rows."""
    return [{"advice": advice(one), "regimes": list(map(_regime, one))} for one in maps(found)]


def _regime(one: Regime) -> dict[str, Any]:
    return {
        "name": one.name,
        "table": one.table.id,
        "tested": one.tested,
        "runs": one.runs,
        "seconds": one.seconds,
        "gains": list(map(_gain, one.gains)),
    }


def _gain(gain: Gain) -> dict[str, Any]:
    """With the id of its row in place of the row."""
    fields = {name: getattr(gain, name) for name in ("label", "mean", "low", "high", "found")}
    return {"row": gain.row.id, **fields, "by_metric": dict(gain.by_metric), "detectable": dict(gain.detectable)}
