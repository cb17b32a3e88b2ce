"""A folder that is written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdbench.errors import KdbenchError
from kdbench.storage.atomic import partial_folder, put


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yields a partial folder, which is renamed to `folder` when the block ends and removed if it raises.

    Raises KdbenchError if `folder` is a file or not empty: nothing is overwritten.
    """
    refuse_taken(folder)
    folder = folder.absolute()
    with partial_folder(folder) as partial:
        yield partial
        refuse_taken(folder)  # another process may have written there meanwhile
        if folder.exists():
            folder.rmdir()
        put(partial, folder)


def refuse_taken(folder: Path) -> None:
    """Raises KdbenchError unless `folder` is empty or missing."""
    if folder.exists() and not folder.is_dir():
        raise KdbenchError(f"{folder} is a file; expected a folder that is empty or does not exist yet")
    if folder.is_dir() and (found := sorted(path.name for path in folder.iterdir())):
        raise KdbenchError(
            f"{folder} is not empty, it holds {', '.join(found[:3])}{' …' if len(found) > 3 else ''}; nothing was written: "
            "choose another folder or empty it first"
        )


def sizes(folder: Path) -> dict[str, int]:
    """The files under a folder and their sizes in bytes."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
