"""How long tests wait for what will happen: no test depends on how fast a machine is, and a busy one may take its time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType

PATIENCE = 900.0  # seconds; only what hangs takes as long


def until(happened: Callable[[], object], why: str = "") -> None:
    """Waits until something has happened. Raises AssertionError, saying why it matters, if that seems never to be."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, why or f"it did not happen within {PATIENCE:.0f} seconds"
        time.sleep(0.02)


def calls(function: Callable[[], object]) -> int:
    """How many functions are called while one runs: its work, on any machine."""
    count = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG001
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
