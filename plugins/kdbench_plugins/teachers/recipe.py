"""The ranges of what teachers that train themselves let a suite choose, checked with the rest of the suite."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
BatchSize = Annotated[int, Field(ge=2)]  # one pair alone has nothing to be told apart from
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
