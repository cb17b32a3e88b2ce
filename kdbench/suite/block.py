"""The base class of all blocks of a suite file."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

EXACT = ConfigDict(extra="forbid", strict=True, frozen=True)
Count = Annotated[int, Field(ge=1)]
