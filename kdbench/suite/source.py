"""A suite as text: read once, merged with its presets, overridden; not yet checked."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.extends import ABOUT, KEY, read_extended
from kdbench.suite.overrides import apply_override
from kdbench.suite.yaml_file import YamlPath, dump


@dataclass(frozen=True)
class SuiteSource:
    """What a suite file says, presets and overrides included, and where each part of it was written."""

    path: Path
    data: dict[str, Any]
    lines: dict[YamlPath, int]
    files: dict[YamlPath, str]
    overrides: dict[YamlPath, str]

    def parts(self) -> tuple[dict[str, Any], Diagnostics]:
        """A copy of the data to work on, and where its diagnostics are gathered."""
        return deepcopy(self.data), Diagnostics(str(self.path), dict(self.lines), dict(self.overrides), self.files)

    @property
    def resolved(self) -> str:
        """The whole suite as YAML, without presets."""
        return dump({key: self.data[key] for key in dict.fromkeys([*ABOUT, *self.data]) if key in self.data})


def read_suite(path: Path, overrides: list[str] | None = None) -> SuiteSource:
    """Raises SuiteError where a file cannot be read or an override does not fit."""
    found = read_extended(path)
    diagnostics = Diagnostics(str(path), found.lines, files=found.files)
    for override in overrides or []:
        apply_override(found.data, override, diagnostics)
    if KEY in found.data:
        diagnostics.add(
            (KEY,), found.data[KEY], "`extends:` in the suite file itself, which presets are read for before overrides"
        )
        diagnostics.raise_if_any()
    return SuiteSource(path, found.data, diagnostics.lines, found.files, diagnostics.overrides)
