"""Dotted overrides of a suite: `train.lr=1e-3`, `strategies[1].C=0.7`, `seeds=[0, 1]`."""

from __future__ import annotations

from typing import Any

from kdbench.errors import SuiteError
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.yaml_file import parse_scalar, path_steps


def apply_override(data: dict[str, Any], override: str, diagnostics: Diagnostics) -> None:
    """Applies `a.b[0].c=value` to a suite, in place; the value is parsed as YAML. Raises SuiteError if it does not fit."""
    key, separator, text = override.partition("=")
    steps = path_steps(key)
    if not separator or not all(step != "" for step in steps):
        raise SuiteError(f"override {override!r}: expected dotted.path=value, such as train.lr=1e-3")
    target: Any = data
    for depth, step in enumerate(steps[:-1]):
        if isinstance(target, dict):
            target = target.setdefault(step, {})
        elif isinstance(target, list) and isinstance(step, int) and step < len(target):
            if isinstance(target[step], str):
                target[step] = {"use": target[step]}
            target = target[step]
        else:
            target = None
        if not isinstance(target, dict | list):
            raise SuiteError(f"override {override!r}: nothing at {'.'.join(map(str, steps[: depth + 1]))} to set a key of")
    try:
        target[steps[-1]] = parse_scalar(text, f"override {override!r}")
    except (IndexError, TypeError):
        raise SuiteError(
            f"override {override!r}: found {steps[-1]!r}, expected an index below {len(target)} of the list"
        ) from None
    diagnostics.set_by(steps, override)
