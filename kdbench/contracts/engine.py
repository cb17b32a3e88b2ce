"""Where runs and studies execute."""

from __future__ import annotations

from typing import Protocol


class Engine(Protocol):
    """Where runs and studies execute."""
