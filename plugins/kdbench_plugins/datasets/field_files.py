"""Which files and which of their arrays hold the fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from kdbench import KdbenchError, nearest
from kdbench_plugins.datasets.field_array import FieldArray
from kdbench_plugins.datasets.field_arrays import FORMATS, arrays_in
from kdbench_plugins.datasets.field_axes import NEEDED, Trajectories, axes_of

SHOWN = 5  # arrays named of many


def field_files(path: Path | None, whose: str) -> tuple[Path, list[Path]]:
    """The path as it is read, and its files in the order of their names. Raises KdbenchError if there is none."""
    known = ", ".join(FORMATS)
    if path is None:
        raise KdbenchError(
            f"{whose}: no file is given; set `path:` to a file or a folder of fields ({known}). To try things out without one: "
            "`miniature: true`"
        )
    root = path.expanduser()
    if root.is_file():
        return root, [root]
    if not root.is_dir():
        raise KdbenchError(f"{whose}: path: there is no file or folder {path}")
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in FORMATS and not file.name.startswith("."))
    if not files:
        raise KdbenchError(f"{whose}: path: found no file of fields in {path}; expected files ending in {known}")
    kinds = sorted({file.suffix.lower() for file in files})
    if len(kinds) > 1:
        raise KdbenchError(f"{whose}: path: found files of several kinds in {path}, {', '.join(kinds)}; expected one kind")
    return root, files


def trajectories_in(file: Path, keys: Sequence[str] | None, axes: str | None) -> list[Trajectories]:
    """The trajectories of a file: of one array, or, where a key is a pattern, of each array that it matches.

    Raises KdbenchError if a key matches none, arrays of channels differ in shape, or axes do not fit.
    """
    arrays = arrays_in(file)
    columns = [_matching(file, arrays, key) for key in keys] if keys else [[_only(file, arrays)]]
    found = []
    for channels in zip(*columns, strict=False):
        for channel in channels:
            channel.check()
            if channel.shape != channels[0].shape:
                raise KdbenchError(
                    f"{channel.where}: found shape {list(channel.shape)}; expected {list(channels[0].shape)}, as of "
                    f"{channels[0].name}: several keys are channels of the same fields"
                )
        found.append(Trajectories(channels, axes_of(channels[0], axes)))
    counts = [len(column) for column in columns]
    if keys and len(set(counts)) > 1:
        raise KdbenchError(f"{file}: key: found {counts} arrays for {', '.join(keys)}; expected as many for each")
    return found


def _matching(file: Path, arrays: Mapping[str, FieldArray], key: str) -> list[FieldArray]:
    if key in arrays:
        return [arrays[key]]
    found = [array for name, array in sorted(arrays.items()) if fnmatchcase(name, key)]
    if not found:
        raise KdbenchError(f"{file}: key: found no array {key!r}; {nearest(key, arrays) or 'the file holds no numeric array'}")
    return found


def _only(file: Path, arrays: Mapping[str, FieldArray]) -> FieldArray:
    """The one array with the most axes, at least those of time and the grid."""
    most = max((len(array.shape) for array in arrays.values()), default=0)
    found = [array for array in arrays.values() if len(array.shape) == most >= len(NEEDED)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{array.name} {list(array.shape)}" for array in list(arrays.values())[:SHOWN]) or "no numeric array"
    more = f" and {len(arrays) - SHOWN:,} more" if len(arrays) > SHOWN else ""
    raise KdbenchError(
        f"{file}: key: found {listed}{more}; expected one array with axes of time and a grid. Name it with `key:`, or, where "
        "each trajectory has its own, with a pattern such as '*/data'"
    )
