"""What was found of each mutant, kept in a file: a run that was stopped resumes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.support.paths import ROOT

FILE = ROOT / ".mutants.json"


class Kept:
    """Results by key. Keys name a state of the sources: results of another are not found."""

    def __init__(self, path: Path = FILE) -> None:
        self.path = path
        self._found = self._read()

    def get(self, key: str) -> str | None:
        """A result, None if there is none yet."""
        return self._found.get(key)

    def _read(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        return found

    def put(self, key: str, found: str) -> None:
        """Keeps a result."""
        self._found = self._read() | {key: found}  # another run may have kept some
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self._found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(partial, self.path)
