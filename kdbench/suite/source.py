"""The source of a suite: a file merged with its presets and overrides, not yet checked."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdbench.suite.diagnostics import Diagnostics
from kdbench.suite.extends import ABOUT, KEY, read_extended
from kdbench.suite.model import SuiteFile
from kdbench.suite.overrides import apply_override
from kdbench.suite.yaml_file import YamlPath, dump


@dataclass(frozen=True)
class SuiteSource:
    """The contents of a suite file with presets and overrides, and the origin of each part."""

    path: Path
    data: dict[str, Any]
    lines: dict[YamlPath, int]
    files: dict[YamlPath, str]
    overrides: dict[YamlPath, str]

    def parts(self) -> tuple[dict[str, Any], Diagnostics]:
        """A copy of the data, and a collector for its diagnostics."""
        return deepcopy(self.data), Diagnostics(str(self.path), dict(self.lines), dict(self.overrides), self.files)

    @property
    def resolved(self) -> str:
        """The whole suite as YAML, with presets filled in."""
        return dump({key: self.data[key] for key in dict.fromkeys([*ABOUT, *self.data]) if key in self.data})


def read_suite(path: Path, overrides: list[str] | None = None) -> SuiteSource:
    """Reads a suite. Raises SuiteError if a file cannot be read or an override does not fit."""
    found = read_extended(path)
    diagnostics = Diagnostics(str(path), found.lines, files=found.files)
    for override in overrides or []:
        apply_override(found.data, override, diagnostics)
    if KEY in found.data:
        known = [key for key in SuiteFile.model_fields if key != KEY]
        expected = f"one of {', '.join(known)}: presets are read before overrides, so `{KEY}:` stands in the file alone"
        diagnostics.add((KEY,), found.data[KEY], expected)
        diagnostics.raise_if_any()
    return SuiteSource(path, found.data, diagnostics.lines, found.files, diagnostics.overrides)
