"""Errors that the user can fix: shown without a traceback, exit code 2. Bugs keep their traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KdbenchError(Exception):
    """Something outside kdbench is wrong. The message says where, what was found, what was expected, and what to do."""


class SuiteError(KdbenchError):
    """A suite file, or an override of it, is wrong."""


class PluginError(KdbenchError):
    """A plugin is missing, clashes with another, fails to load, or breaks its contract."""


class CacheError(KdbenchError):
    """A cache entry differs from its manifest."""


class RecordError(KdbenchError):
    """A record or one of its files cannot be read, or they do not agree."""


class Skip(Exception):
    """Raised by a plugin that cannot be used in a run, such as a missing device; the run is recorded as skipped."""


class Diverged(Exception):
    """The training loss is no longer finite; the run is recorded as diverged."""


def nearest(name: object, known: Iterable[str]) -> str:
    """A clause for messages with the closest known name, or with all names if none is close; empty if there are none."""
    names = sorted(known)
    lowered = {other.lower(): other for other in names}
    close = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.5)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    return f"known: {', '.join(names)}" if names else ""


class KdbenchWarning(UserWarning):
    """A warning for the user; the work continues."""
