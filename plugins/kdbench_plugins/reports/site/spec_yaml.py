"""A run's spec as YAML, in the form of a suite."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import yaml

from kdbench.suite.spec import RunSpec

# libyaml's, if PyYAML was built with it: ten times faster.
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_DEFAULTS = {"defaults"}  # of parameters: not part of the run
_HIDDEN: Any = {
    **dict.fromkeys(("task", "dataset", "student", "strategy"), _DEFAULTS),
    **{name: {"__all__": _DEFAULTS} for name in ("team", "objective")},
}


def spec_values(spec: RunSpec) -> dict[str, Any]:
    """A spec without the fields that only serve to compute its id."""
    return spec.model_dump(mode="json", exclude=_HIDDEN)


def readable(values: dict[str, Any]) -> str:
    """YAML that reads back as an equal value."""
    return "".join(_part(json.dumps({name: value})) for name, value in values.items())


@lru_cache(maxsize=1024)
def _part(text: str) -> str:
    """The YAML of one key and its value, cached because most are equal for all runs of a suite."""
    return str(yaml.dump(json.loads(text), Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=100))
