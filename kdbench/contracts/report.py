"""What is written of records: a site, figures, CSV."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """What is written of records: a site, figures, CSV."""
