"""Errors that the user can fix: shown without a traceback, exit code 2. Bugs keep their traceback."""

from __future__ import annotations

import difflib
import errno
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path


class KdbenchError(Exception):
    """Something outside kdbench is wrong. The message says where, what was found, what was expected, and what to do.

    It can always be printed: halves of surrogate pairs in what was found are written as escapes.
    """

    def __str__(self) -> str:
        return super().__str__().encode(errors="backslashreplace").decode()


class SuiteError(KdbenchError):
    """A suite file, or an override of it, is wrong."""


class PluginError(KdbenchError):
    """A plugin is missing, clashes with another, fails to load, or breaks its contract."""


class NotFinite(PluginError):
    """A plugin gave numbers that are not finite, perhaps only for the inputs that it was given."""


class ParameterError(KdbenchError):
    """A value inside a parameter of a plugin is wrong. A suite's check shows it at its line.

    `path` leads to it from the plugin's parameters: `("config", "vision_cfg", "image_size")`.
    """

    def __init__(
        self, message: str, path: tuple[str | int, ...] = (), found: object = None, expected: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.path, self.found, self.expected, self.hint = path, found, expected, hint

    @classmethod
    def at(cls, plugin: str, path: tuple[str | int, ...], found: object, expected: str, hint: str = "") -> ParameterError:
        """The error with its message."""
        where = ".".join(map(str, path))
        message = f"{plugin}: {where}: found {found!r}; expected {expected}" + (f". {hint}" if hint else "")
        return cls(message, path, found, expected, hint)


class UnusableItems(KdbenchError):
    """Items of a dataset that cannot be used, because of their pictures or captions. `items`: source → what is wrong with it.

    Raised once for all of them. `kdbench data check --quarantine FILE` writes their sources to a file by which a dataset leaves
    them out.
    """

    SHOWN = 5  # the rest are counted

    def __init__(self, whose: str, items: Mapping[str, str]) -> None:
        super().__init__(whose, items)
        self.whose, self.items = whose, items

    def __str__(self) -> str:
        told = list(self.items.values())
        more = f"; and {len(told) - self.SHOWN:,} more" if len(told) > self.SHOWN else ""
        found = f"{counted(len(told), 'item')} that cannot be used: {'; '.join(told[: self.SHOWN])}{more}"
        return (
            f"{self.whose}: found {found}. Mend them, or leave them "
            "out: `kdbench data check … --quarantine FILE` lists them in a file, `quarantine: FILE` leaves them out"
        )


class CacheError(KdbenchError):
    """A cache entry differs from its manifest."""


class RecordError(KdbenchError):
    """A record or one of its files cannot be read, or they do not agree."""


class Skip(Exception):
    """Raised by a plugin that cannot be used in a run, such as a missing device; the run is recorded as skipped."""


class Diverged(Exception):
    """The training loss is no longer finite; the run is recorded as diverged."""


# Numbers of OSErrors that tell of a file, which is missing, closed or no picture. Pillow gives none.
OF_FILES = (
    None,
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EINVAL,
)


def of_machine(error: BaseException) -> bool:
    """Whether an error tells of the machine, such as a full or failing disk or a lost file server, and not of a file.

    No such error makes an item of a dataset unusable: read again elsewhere, it may be whole.
    """
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno not in OF_FILES)


LESS_MEMORY = "lower train.micro_batch, train.batch_size or evaluate.batch_size"


def out_of_memory(error: BaseException) -> bool:
    """Whether memory of the machine or of a GPU was exhausted. torch, which is not imported here, has a class only for GPUs."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, MemoryError) or "OutOfMemoryError" in names or "can't allocate memory" in str(error)


def unexpected(error: BaseException) -> str:
    """What a record says of an error that kdbench does not expect: its type and text; what to lower if memory was exhausted."""
    hint = f"; the memory is exhausted: {LESS_MEMORY}" if out_of_memory(error) else ""
    return f"{type(error).__name__}: {error}{hint}"


def nearest(name: object, known: Iterable[str]) -> str:
    """A clause for messages with the closest known name, or with all names if none is close; empty if there are none."""
    names = sorted(known)
    lowered = {other.lower(): other for other in names}
    close = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.5)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    return f"known: {', '.join(names)}" if names else ""


def counted(count: int, noun: str) -> str:
    """`1 run`, `2 runs`, `1,000 entries`, `3 processes`."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{count:,} {noun[:-1]}ies"
    return f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


TRUTH = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def yaml_hint(found: object, truth: bool) -> str:
    """A clause for messages about text where a truth value (or else a number) is expected; empty if the text is neither."""
    if not isinstance(found, str):
        return ""
    if truth:
        meant = TRUTH.get(found.lower()) or {"true": "true", "false": "false"}.get(found.lower())
        if found.lower() in TRUTH:
            return f"YAML 1.2 reads {found} as text; write {meant}"
        return f"write {meant} without quotes" if meant else nearest(found, ("true", "false"))
    try:
        float(found)
    except ValueError:
        return ""
    return f"write {found.strip()} without quotes"


def quoted(error: BaseException) -> str:
    """An exception of a plugin in one line, with the file and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    while len(frames) > 1 and isinstance(error, SystemExit) and frames[-1].name == "exit":
        frames.pop()  # a library, such as wandb, has put a function of its own in place of sys.exit
    position = f" ({_file(Path(frames[-1].filename))}, line {frames[-1].lineno})" if frames else ""
    return f"raised {type(error).__name__}: {error}{position}"


def _file(path: Path) -> str:
    """A file's name; of a package's `__init__.py`, which many have, with the package."""
    return f"{path.parent.name}/{path.name}" if path.name == "__init__.py" else path.name


class KdbenchWarning(UserWarning):
    """A warning for the user; the work continues."""
