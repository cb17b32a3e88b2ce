"""Where commands write: checked before they work, so that nothing is computed in vain and no record is replaced."""

from __future__ import annotations

import re
from pathlib import Path

from kdbench.errors import KdbenchError

OF_RECORDS = re.compile(r"[0-9a-f]{12}(\.json|\.test\.npz|\.trace\.json|\.units\.npz)")  # as `records.names` has them


def output(path: Path, folder: bool = False) -> Path:
    """A file, or with `folder` either, that a command is to write. What is there is replaced.

    Raises KdbenchError if it cannot be written, or is named like a record.
    """
    if OF_RECORDS.fullmatch(path.name):
        raise KdbenchError(
            f"{path}: found the name of a record; expected another, for it would replace a record or be taken for one"
        )
    if not folder and path.is_dir():
        raise KdbenchError(f"{path}: found a folder; expected the name of a file")
    above = next((one for one in path.absolute().parents if one.exists()), None)
    if above is not None and not above.is_dir():
        raise KdbenchError(f"{path}: found the file {above} where a folder is needed")
    return path
