"""What the system says of this process's memory."""

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
    """MB that this process holds now, or the most it has held where the system tells no more; None where it tells nothing."""
    now = _status("VmRSS")
    return now if now is not None else _most()


def peak() -> float | None:
    """The most MB that it has held; None where the system does not tell."""
    found = _status("VmHWM")
    return found if found is not None else _most()


def forget_peak() -> bool:
    """Whether the system's note of the peak could be set to what is held now."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def tidy() -> None:
    """Gives back what this process needs no more: what earlier work left would count as the next one's.

    A module is part of cycles, which wait for the collector, and the allocator keeps what has been freed in many pieces.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # other C libraries keep nothing, or cannot be told
            ctypes.CDLL(None).malloc_trim(0)


def _status(field: str) -> float | None:
    """A figure of Linux about this process, in MB."""
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
