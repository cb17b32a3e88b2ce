"""The memory of this process, as the operating system reports it."""

from __future__ import annotations

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path

from kdbench.records.profile import MEGABYTE

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def resident() -> float | None:
    """The process's resident memory in MB; its peak if the system reports only that; None if it reports neither."""
    now = _status("VmRSS")
    return now if now is not None else _most()


def peak() -> float | None:
    """The process's peak memory in MB; None if the system does not report it."""
    found = _status("VmHWM")
    return found if found is not None else _most()


def forget_peak() -> bool:
    """Resets the recorded peak to the current memory. Returns whether the system allows it."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def tidy() -> None:
    """Returns unused memory to the system: memory of earlier work must not count for later work.

    Modules are in reference cycles, which only the garbage collector frees, and the allocator keeps freed memory.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # other C libraries keep no memory or have no such function
            ctypes.CDLL(None).malloc_trim(0)


def _status(field: str) -> float | None:
    """A field of Linux's /proc/self/status, in MB."""
    try:
        for line in STATUS.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024 / MEGABYTE
    except (OSError, ValueError, IndexError):
        pass
    return None


def _most() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE
