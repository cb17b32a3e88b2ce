"""Presets: reusable parts of suites, listed under `extends:`.

Maps are merged, lists replaced. Later presets override earlier ones, and a suite's own keys override all presets. A map with
another plugin under `use:` is replaced as a whole, because parameters of one plugin have no meaning for another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdbench.errors import SuiteError, nearest
from kdbench.suite import shipped
from kdbench.suite.yaml_file import YamlPath, read

KEY = "extends"
ABOUT = ("name", "description")  # a preset's own description; a suite has its own


@dataclass
class Extended:
    """A suite file merged with its presets, with the line of every path, and the file of those from a preset."""

    data: Any
    lines: dict[YamlPath, int]
    files: dict[YamlPath, str] = field(default_factory=dict)


def read_extended(path: Path, above: tuple[Path, ...] = ()) -> Extended:
    """Reads a suite file with its presets. Raises SuiteError if a file cannot be read, is not a map, or extends an unknown
    preset or itself."""
    data, lines = read(path)
    if not isinstance(data, dict):
        found = "an empty file" if data is None else f"a {'list' if isinstance(data, list) else 'single value'}"
        raise SuiteError(f"{path}:1: found {found}, expected a map with the keys of a suite (name, datasets, students, …)")
    own = Extended(data, lines)
    if KEY not in data:
        return own
    names = [data[KEY]] if isinstance(data[KEY], str) else data.pop(KEY)
    data.pop(KEY, None)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SuiteError(
            f"{path}:{lines[KEY,]}: extends\n  found     {names!r}\n  expected  the name of a preset, or a list of names"
        )
    merged: Extended | None = None
    for position, name in enumerate(names):
        here = f"{path}:{lines.get((KEY, position), lines[KEY,])}"
        preset = find_preset(name, path.parent, here)
        if preset.resolve() in [one.resolve() for one in (*above, path)]:
            raise SuiteError(f"{here}: extends\n  found     {name!r}\n  expected  a preset that does not extend this file")
        part = _preset(preset, (*above, path))
        merged = part if merged is None else _merged(merged, part)
    return own if merged is None else _merged(merged, own)


def find_preset(name: str, beside: Path, here: str = "extends") -> Path:
    """The file of a preset: looked up beside the suite, in the folder `presets` there, then among the shipped presets.

    Raises SuiteError, with a message that starts with `here`, if there is none.
    """
    for path in (beside / name, beside / f"{name}{shipped.SUFFIX}", beside / shipped.PRESETS / f"{name}{shipped.SUFFIX}"):
        if path.is_file():
            return path
    known = shipped.presets_in(beside / shipped.PRESETS) | shipped.presets()
    if name in known:
        return known[name]
    expected = f"a file beside the suite, or a preset: {', '.join(sorted(known))}"
    hint = nearest(name, known)
    more = f"\n  {hint}" if hint.startswith("did") else ""
    raise SuiteError(f"{here}: extends\n  found     {name!r}\n  expected  {expected}{more}")


def _preset(path: Path, above: tuple[Path, ...]) -> Extended:
    part = read_extended(path, above)
    for key in ABOUT:
        part.data.pop(key, None)
    files = {where: part.files.get(where, str(path)) for where in part.lines}
    return Extended(part.data, part.lines, files)


def _merged(base: Extended, own: Extended) -> Extended:
    replaced: list[YamlPath] = []
    data = _merged_maps(base.data, own.data, (), replaced)
    kept = {where: line for where, line in base.lines.items() if not any(where[: len(gone)] == gone for gone in replaced)}
    files = {where: base.files[where] for where in kept if where in base.files and where not in own.lines} | own.files
    return Extended(data, kept | own.lines, files)


def _merged_maps(base: dict[str, Any], own: dict[str, Any], where: YamlPath, replaced: list[YamlPath]) -> dict[str, Any]:
    """`own` merged over `base`; adds the paths at which `own` replaces `base` to `replaced`."""
    merged = dict(base)
    for key, value in own.items():
        before = base.get(key)
        if isinstance(before, dict) and isinstance(value, dict) and value.get("use", before.get("use")) == before.get("use"):
            merged[key] = _merged_maps(before, value, (*where, key), replaced)
        else:
            merged[key] = value
            replaced.append((*where, key))
    return merged
