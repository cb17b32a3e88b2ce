"""Errors that are the user's to mend: shown without a traceback, exit code 2. Bugs keep theirs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KdbenchError(Exception):
    """Something outside kdbench is wrong; the message says where, what was found, what was expected, what to do."""


class SuiteError(KdbenchError):
    """A suite file, or an override of it, is wrong."""


class PluginError(KdbenchError):
    """A plugin is missing, clashes with another, fails to load, or breaks its contract."""


class CacheError(KdbenchError):
    """A cache entry is not what its manifest says."""


class RecordError(KdbenchError):
    """A record or its ranks cannot be read or do not agree."""


class Skip(Exception):
    """Raised by a plugin that cannot take part in a run (say, no such device); the run is recorded as skipped."""


class Diverged(Exception):
    """The training loss is no longer finite; the run is recorded as diverged."""


def nearest(name: object, known: Iterable[str]) -> str:
    """A clause that names the closest known name, or all of them where none is close; empty where none is known."""
    names = sorted(known)
    lowered = {other.lower(): other for other in names}
    close = difflib.get_close_matches(str(name).lower(), lowered, n=1, cutoff=0.5)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    return f"known: {', '.join(names)}" if names else ""


class KdbenchWarning(UserWarning):
    """Something a user should see although work goes on."""
