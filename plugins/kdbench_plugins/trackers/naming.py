"""What a run and its figures are called, in every tracker alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def title_of(spec: Mapping[str, Any]) -> str:
    """`small · a+b · equal · seed 0`, as `kdbench run` shows it."""
    from kdbench.suite.plan import RunSpec

    return RunSpec(**spec).label


def group_of(spec: Mapping[str, Any]) -> str:
    """`emoji · small · a+b · equal`: the same for all seeds."""
    seed = f" · seed {spec['seed']}"
    return f"{spec['suite']} · {title_of(spec).removesuffix(seed)}"


def epoch_scalars(metrics: Mapping[str, float]) -> dict[str, float]:
    """`loss` and `weight/<teacher>` as they are; all others were measured on the validation split, and are called so."""
    return {name if name == "loss" or name.startswith("weight/") else f"validation/{name}": metrics[name] for name in metrics}


def final_scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """What a record holds: `test/…`, `best/…` (validation, best epoch), `mean_weight/…` and `dynamics/…`."""
    parts = {
        "test": record["metrics"],
        "best": record["validation"],
        "mean_weight": record["weights"],
        "dynamics": record["dynamics"],
    }
    return {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}


def flat(value: object, name: str = "") -> dict[str, Any]:
    """Nested maps and lists as one map of dotted names: `{"team": [{"name": "a"}]}` is `{"team.0.name": "a"}`."""
    if isinstance(value, Mapping):
        parts = {str(key): part for key, part in value.items()}
    elif isinstance(value, list | tuple):
        parts = {str(place): part for place, part in enumerate(value)}
    else:
        return {name: value}
    return {key: leaf for part in parts for key, leaf in flat(parts[part], f"{name}.{part}" if name else part).items()}
