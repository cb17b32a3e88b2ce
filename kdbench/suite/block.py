"""What all blocks of a suite file share: their configuration, counts, seeds and names."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from kdbench.contracts.names import NAME, WORD

EXACT = ConfigDict(extra="forbid", strict=True, frozen=True)
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=NAME)]
Word = Annotated[str, Field(pattern=WORD)]
