"""Plugins of processes that a test starts: distributions as pip would install them, in a folder that Python looks into."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.paths import ROOT


def installed(folder: Path, target: str, source: str = "") -> str:
    """PYTHONPATH of processes that find one plugin more: `target`, an attribute of a module, `MODULE:NAME`.

    It may be one of the tests' own modules; with `source`, the module is written into `folder`, where the distribution is.
    """
    module, _, name = target.partition(":")
    info = folder / f"{name.lower()}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.lower()}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[kdbench]\n{name.lower()} = {target}\n")
    if source:
        (folder / f"{module}.py").write_text(source)
    return python_path(folder, ROOT)


def python_path(*folders: Path) -> str:
    """PYTHONPATH with these folders before those of today."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(filter(None, map(str, (*folders, *inherited))))
