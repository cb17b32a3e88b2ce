"""A format in which a trained student is written."""

from __future__ import annotations

from typing import Protocol


class Exporter(Protocol):
    """A format in which a trained student is written."""
