"""Types of what records, profiles, traces and studies count and measure: of exactly that type, and in range.

Files may come from elsewhere. Without these, `"5"`, true and -1 would be read as steps.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool

from kdbench.storage.archives import FARTHEST

LARGEST = 2**63 - 1

Whole = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]
Figure = Annotated[float, Field(strict=True, ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]
Amount = Annotated[float, Field(strict=True, ge=0, le=FARTHEST, allow_inf_nan=False)]  # seconds, megabytes, milliseconds
Flag = StrictBool
