"""Dotted overrides of a suite: `train.lr=1e-3`, `strategies[1].C=0.7`, `seeds=[0, 1]`."""

from __future__ import annotations

from typing import Any

from kdbench.errors import SuiteError
from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.yaml_file import YamlPath, dotted, parse_scalar, path_steps


def apply_override(data: dict[str, Any], override: str, diagnostics: Diagnostics) -> None:
    """Applies `a.b[0].c=value` to a suite, in place; the value is parsed as YAML. Raises SuiteError if it does not fit."""
    key, separator, text = override.partition("=")
    steps = path_steps(key)
    if not separator or not all(step != "" for step in steps):
        raise SuiteError(f"override {override!r}: expected dotted.path=value, such as train.lr=1e-3")
    target: Any = data
    for depth, step in enumerate(steps[:-1]):
        if isinstance(target, dict):
            target = target.setdefault(str(step), {})  # keys are text: `teachers.7.use` is of the teacher "7"
        else:
            _check_index(target, step, steps[:depth], override)
            if isinstance(target[step], str):
                target[step] = {"use": target[step]}
            target = target[step]
        if not isinstance(target, dict | list):
            raise SuiteError(
                f"override {override!r}: found {target!r} at {dotted(steps[: depth + 1])}; expected a map or a list, in which "
                f"{steps[depth + 1]!r} can be set"
            )
    if isinstance(target, list):
        _check_index(target, steps[-1], steps[:-1], override)
    target[str(steps[-1]) if isinstance(target, dict) else steps[-1]] = parse_scalar(text, f"override {override!r}")
    diagnostics.set_by(steps, override)


def _check_index(target: list[Any], step: str | int, where: YamlPath, override: str) -> None:
    if isinstance(step, int) and step < len(target):
        return
    hint = f"the last is {dotted((*where, len(target) - 1))}" if target else f"give the whole list: {dotted(where)}=[…]"
    expected = f"an index below {len(target)} of the list {dotted(where)}"
    raise SuiteError(f"override {override!r}: found {step!r}, expected {expected}; {hint}")
