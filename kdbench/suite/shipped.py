"""Suites and presets that ship with the package: `suites/` in a checkout, a copy in the installed package."""

from __future__ import annotations

from pathlib import Path

from kdbench.errors import SuiteError, nearest
from kdbench.suite.yaml_file import read

SUFFIX = ".yaml"
PRESETS = "presets"


def folder() -> Path:
    """The folder of shipped suites."""
    packed = Path(__file__).parent / "shipped"
    return packed if packed.is_dir() else Path(__file__).parents[2] / "suites"


def suites() -> dict[str, Path]:
    """The shipped suites by name, in its order."""
    return {path.stem: path for path in sorted(folder().glob(f"*{SUFFIX}"), key=lambda path: path.stem)}


def presets() -> dict[str, Path]:
    """The shipped presets by name, such as `students/resnet-48px`."""
    return presets_in(folder() / PRESETS)


def presets_in(root: Path) -> dict[str, Path]:
    """The presets under a folder by name."""
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in sorted(root.rglob(f"*{SUFFIX}"))}


def find_suite(given: str | Path) -> Path:
    """The file at that path or, if there is none, the shipped suite of that name.

    Raises SuiteError with the nearest shipped name if there is neither.
    """
    path = Path(given)
    if path.is_file():
        return path
    known = suites()
    if str(given) in known:  # also beside a folder of that name, such as one that holds its results
        return known[str(given)]
    if path.exists():
        return path
    raise SuiteError(f"{given}: no such file, and no such shipped suite; {nearest(path.stem, known)}")


def description(path: Path) -> str:
    """The one-line description of a suite or preset, empty if it has none."""
    data, _ = read(path)
    return str(data.get("description", "")) if isinstance(data, dict) else ""
