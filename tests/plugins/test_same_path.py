"""Another process looks for modules where this one does, and not in the working folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kdbench.plugins.same_path import python_with_same_path


def said(module: str, folder: Path) -> str:
    return subprocess.run(
        python_with_same_path(module), cwd=folder, capture_output=True, text=True, check=True, timeout=100
    ).stdout.strip()


def test_a_module_is_found_where_this_process_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder has a module of the same name, which `python -m` would take."""
    for name in ("mine", "work"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "spoken_here.py").write_text(
            f"import json, sys\nprint(json.dumps(['{name}', __name__, len(sys.argv)]))\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path / "mine"))
    assert json.loads(said("spoken_here", tmp_path / "work")) == ["mine", "__main__", 1]


def test_a_path_in_the_environment_counts_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spoken_there.py").write_text("print('there')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert said("spoken_there", tmp_path.parent) == "there"
