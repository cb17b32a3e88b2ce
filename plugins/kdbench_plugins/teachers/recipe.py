"""Types, with ranges, of the training parameters of teachers, checked with the suite."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=2)]  # a contrastive loss needs at least two pairs
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
