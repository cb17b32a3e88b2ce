"""A run's spec as YAML, as a suite would write it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import yaml

from kdbench.records.record import Record
from kdbench.suite.spec import RunSpec

# libyaml's, if PyYAML was built with it: a tenth of the time.
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_DEFAULTS = {"defaults"}  # of parameters: not part of what was run
_HIDDEN: Any = {
    **dict.fromkeys(("task", "dataset", "student", "strategy"), _DEFAULTS),
    **{name: {"__all__": _DEFAULTS} for name in ("team", "objective")},
}


def recorded_spec(record: Record) -> dict[str, Any]:
    """The spec of a record as it was written, less what only serves to compute its id."""
    return record.original if record.original is not None else spec_values(record.spec)


def spec_values(spec: RunSpec) -> dict[str, Any]:
    """The same of any spec."""
    return spec.model_dump(mode="json", exclude=_HIDDEN)


def readable(values: dict[str, Any]) -> str:
    """YAML that reads back equal."""
    return "".join(_part(json.dumps({name: value})) for name, value in values.items())


@lru_cache(maxsize=1024)
def _part(text: str) -> str:
    """One key, and what is below it: runs of one suite share most of theirs."""
    return str(yaml.dump(json.loads(text), Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=100))
