"""A run's spec as YAML, as a suite would write it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import yaml

# libyaml's, where PyYAML was built with it: a tenth of the time.
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def readable(spec: dict[str, Any]) -> str:
    """YAML that reads back equal."""
    return "".join(_part(json.dumps({name: value})) for name, value in spec.items())


@lru_cache(maxsize=1024)
def _part(text: str) -> str:
    """One key, and what is below it: runs of one suite share most of theirs."""
    return str(yaml.dump(json.loads(text), Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=100))
