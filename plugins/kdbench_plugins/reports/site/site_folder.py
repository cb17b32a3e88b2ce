"""A folder written whole or not at all, and replaced only where it is kdbench's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdbench.errors import KdbenchError

MARKER = ".kdbench-site"
MODE = 0o755


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Gives an empty folder beside `folder` to write into, and puts it in its place once all is written.

    A site that was there before goes; where writing fails it stays as it was. Raises KdbenchError where `folder` is a file,
    holds anything that no site of kdbench holds, contains the current folder, or cannot be written.
    """
    target = folder.resolve()
    _check(target, folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    except OSError as error:
        raise KdbenchError(f"{folder}: cannot be written ({error}); choose another folder") from error
    try:
        yield partial
        partial.chmod(MODE)  # mkdtemp leaves it to its owner alone, and a site is there to be served
        names = sorted(entry.name for entry in partial.iterdir())
        (partial / MARKER).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        _check(target, folder)  # writing took its time
        _put(partial, target)
    except OSError as error:
        raise KdbenchError(f"{folder}: cannot be written ({error}); what was there is as it was") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(target: Path, folder: Path) -> None:
    if Path.cwd().is_relative_to(target):
        raise KdbenchError(f"{folder}: contains the current folder, and a site replaces its folder whole; name one inside it")
    if not target.exists():
        return
    if not target.is_dir():
        raise KdbenchError(f"{folder}: is a file; expected a folder that is new, empty, or a site that kdbench has written")
    found = {entry.name for entry in target.iterdir()}
    if not found:
        return
    marker = target / MARKER
    if not marker.is_file():
        raise KdbenchError(
            f"{folder}: is not empty and no site that kdbench has written (it has no {MARKER}); nothing was written: "
            "choose another folder or empty it first"
        )
    foreign = found - {MARKER, *marker.read_text(encoding="utf-8").splitlines()}
    if foreign:
        names = ", ".join(map(repr, sorted(foreign)))
        raise KdbenchError(
            f"{folder}: holds {names} beside kdbench's own files, and a new site would remove it; "
            "nothing was written: move that elsewhere or choose another folder"
        )


def _put(partial: Path, target: Path) -> None:
    if not target.exists():
        os.replace(partial, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    os.replace(target, old)
    try:
        os.replace(partial, target)
    except OSError:
        os.replace(old, target)
        raise
    shutil.rmtree(old)
