"""Names of runs and metrics, the same in every tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdbench.records.record import Record
    from kdbench.suite.spec import RunSpec


def group_of(spec: RunSpec) -> str:
    """`emoji · small · a+b · equal`: the same for all seeds."""
    return f"{spec.suite} · {spec.cell_label}"


def epoch_scalars(metrics: Mapping[str, float]) -> dict[str, float]:
    """`loss` and `weight/<teacher>` keep their names; metrics of the validation split become `validation/…`."""
    return {name if name == "loss" or name.startswith("weight/") else f"validation/{name}": metrics[name] for name in metrics}


def final_scalars(record: Record) -> dict[str, float]:
    """The values of a record: `test/…`, `best/…` (validation, best epoch), `mean_weight/…` and `dynamics/…`."""
    parts = {
        "test": record.metrics,
        "best": record.validation,
        "mean_weight": record.weights,
        "dynamics": record.dynamics,
    }
    return {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}


def hyperparameters(spec: RunSpec) -> dict[str, Any]:
    """The spec as one map of dotted names, without the stored defaults of its plugins."""
    plugins: dict[str, Any] = {name: {"defaults"} for name in ("task", "dataset", "student", "strategy")}
    plugins |= {name: {"__all__": {"defaults"}} for name in ("team", "objective")}
    return flat(spec.model_dump(mode="json", exclude=plugins))


def flat(value: object, name: str = "") -> dict[str, Any]:
    """Nested maps and lists as one map of dotted names: `{"team": [{"name": "a"}]}` is `{"team.0.name": "a"}`."""
    if isinstance(value, Mapping):
        parts = {str(key): part for key, part in value.items()}
    elif isinstance(value, list | tuple):
        parts = {str(position): part for position, part in enumerate(value)}
    else:
        return {name: value}
    return {key: leaf for part in parts for key, leaf in flat(parts[part], f"{name}.{part}" if name else part).items()}
