"""Where commands write: checked before they work, so that nothing is computed in vain and no record is replaced."""

from __future__ import annotations

from pathlib import Path

from kdbench.errors import KdbenchError


def output(path: Path, folder: bool = False) -> Path:
    """A file, or with `folder` either, that a command is to write. What is there is replaced.

    Raises KdbenchError if it cannot be written, or is named like a record.
    """
    if _of_record(path.name):
        raise KdbenchError(
            f"{path}: found the name of a record; expected another, for it would replace a record or be taken for one"
        )
    if not folder and path.is_dir():
        raise KdbenchError(f"{path}: found a folder; expected the name of a file")
    above = next((one for one in path.absolute().parents if one.exists()), None)
    if above is not None and not above.is_dir():
        raise KdbenchError(f"{path}: found the file {above} where a folder is needed")
    return path


def _of_record(name: str) -> bool:
    """Whether a file is named like a record or one of those beside it."""
    from kdbench.records.names import ARRAYS, RUN_FILE, TRACE, UNITS

    stem, dot, suffix = name.partition(".")
    return bool(RUN_FILE.fullmatch(f"{stem}.json")) and dot + suffix in (".json", ARRAYS, TRACE, UNITS)
