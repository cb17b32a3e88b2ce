"""Warnings of other libraries while plugins build, load and encode: shown once each, and kept.

A library warns where it goes on although something may be wrong, such as weights in a model of another activation.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from kdbench.errors import KdbenchWarning

# Meant for authors of code; Python hides them as well.
FOR_AUTHORS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
APART = ("transformers",)  # loggers that do not pass their records on to the root logger
LENGTH, MOST = 500, 20  # characters of a warning, and warnings, that are kept
FILE = "warnings.json"


class LibraryWarning(KdbenchWarning):
    """A warning of another library, with its name."""


@contextmanager
def collected() -> Iterator[list[str]]:
    """Collects what other libraries warn about in this context, by `warnings` or by logging, each once.

    Passes each on as a LibraryWarning. Warnings of kdbench itself pass unchanged. Changes global state: use it in one thread.
    """
    found: list[str] = []
    dropped: set[int] = set()
    with warnings.catch_warnings():
        outer = warnings.showwarning

        def tell(text: str, file: str, line: int) -> None:
            text = " ".join(text.split())[:LENGTH]
            if text in found or hash(text) in dropped:
                return
            if len(found) == MOST:
                dropped.add(hash(text))
                return
            found.append(text)
            outer(LibraryWarning(text), LibraryWarning, file, line)

        def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *more: Any) -> None:
            if issubclass(category, LibraryWarning):
                tell(str(message), filename, lineno)
            elif issubclass(category, KdbenchWarning):
                outer(message, category, filename, lineno, *more)
            else:
                tell(f"{library_of(filename)}: {message}", filename, lineno)

        # Behind all filters that are set: a warning that was shown for an earlier run belongs to this one as well.
        warnings.filterwarnings("default", category=KdbenchWarning, append=True)
        warnings.filterwarnings("always", category=LibraryWarning)
        warnings.filterwarnings("always", append=True)
        warnings.showwarning = cast(Any, show)  # Python passes all by position
        handler = _Handler(tell)
        loggers = [logging.getLogger(), *map(logging.getLogger, APART)]
        for logger in loggers:
            logger.addHandler(handler)
        try:
            yield found
        finally:
            for logger in loggers:
                logger.removeHandler(handler)
            if dropped:
                text = f"found {MOST + len(dropped):,} different warnings of libraries; the first {MOST} are shown and kept"
                found.append(text)
                outer(LibraryWarning(text), LibraryWarning, __file__, 0)


class _Handler(logging.Handler):
    """Passes records of warnings on."""

    def __init__(self, tell: Any) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        name = library_of(record.pathname) if record.name == "root" else record.name.partition(".")[0]
        self._tell(f"{name}: {record.getMessage()}", record.pathname, record.lineno)


def library_of(file: str) -> str:
    """The package that a source file belongs to, or the file's name outside installed packages."""
    parts = Path(file).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts[:-1]:
            return parts[parts.index(folder) + 1].removesuffix(".py")
    return Path(file).stem


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Writes the warnings of this context into a folder of the cache, if there are any."""
    with collected() as found:
        yield
    if found:
        (folder / FILE).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")


def warn_again(folder: Path) -> None:
    """Repeats the warnings of the process that made an entry of the cache: they concern every process that uses it."""
    path = folder / FILE
    if path.is_file():
        for text in json.loads(path.read_text(encoding="utf-8")):
            warnings.warn(str(text), LibraryWarning, stacklevel=3)
