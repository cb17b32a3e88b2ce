"""A way of dividing a team's value among its teachers."""

from __future__ import annotations

from typing import Protocol


class Attribution(Protocol):
    """A way of dividing a team's value among its teachers."""
