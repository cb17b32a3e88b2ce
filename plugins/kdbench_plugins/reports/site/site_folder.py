"""A folder written whole or not at all, and replaced only if kdbench wrote it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdbench.errors import KdbenchError
from kdbench.storage.atomic import partial_folder, put

MARKER = ".kdbench-site"


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder`, which replaces `folder` when the block ends.

    An older site there is removed; if writing fails it stays unchanged. Raises KdbenchError if `folder` is a file,
    holds files that kdbench did not write, contains the current folder, or cannot be written.
    """
    target = folder.resolve()
    _check(target, folder)
    try:
        with partial_folder(target) as partial:
            old = target.with_name(f".{target.name}.old")
            _recover(old, target)
            yield partial
            names = sorted(entry.name for entry in partial.iterdir())
            (partial / MARKER).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
            _check(target, folder)  # again, as writing took some time
            if target.exists():
                target.rename(old)
            try:
                put(partial, target)
            finally:
                _recover(old, target)
    except OSError as error:
        raise KdbenchError(
            f"{folder}: cannot be written ({error}); what was there is unchanged. Choose another folder"
        ) from error


def _check(target: Path, folder: Path) -> None:
    if Path.cwd().is_relative_to(target):
        raise KdbenchError(f"{folder}: contains the working directory, which a site would replace; name a folder inside it")
    if not target.exists():
        return
    if not target.is_dir():
        raise KdbenchError(f"{folder}: is a file; expected a new or empty folder, or a site written by kdbench")
    found = {entry.name for entry in target.iterdir()}
    if not found:
        return
    marker = target / MARKER
    if not marker.is_file():
        raise KdbenchError(
            f"{folder}: is not empty and not a site written by kdbench (it has no {MARKER}); nothing was written: "
            "choose another folder or empty it first"
        )
    foreign = found - {MARKER, *marker.read_text(encoding="utf-8").splitlines()}
    if foreign:
        names = ", ".join(map(repr, sorted(foreign)))
        raise KdbenchError(
            f"{folder}: holds {names} beside kdbench's own files, which a new site would remove; "
            "nothing was written: move them elsewhere or choose another folder"
        )


def _recover(old: Path, target: Path) -> None:
    """Puts an older site back if nothing has taken its place, as after a kill between both renames; otherwise removes it."""
    if old.exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)
