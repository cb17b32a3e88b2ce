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
    describe(folder, name.lower(), **{name.lower(): target})
    if source:
        (folder / f"{module}.py").write_text(source)
    return python_path(folder, ROOT)


def describe(folder: Path, name: str, **plugins: str) -> None:
    """Writes what pip keeps of a distribution into `folder`: its name, and its plugins as MODULE or MODULE:NAME."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[kdbench]", *(f"{one} = {target}" for one, target in plugins.items())]))


def python_path(*folders: Path) -> str:
    """PYTHONPATH with these folders before those of today."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(filter(None, map(str, (*folders, *inherited))))
