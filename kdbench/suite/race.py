"""The `race` block of a suite: seeds go to rows that are still undecided."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from kdbench.suite.block import EXACT, Count

MOST_SEEDS = 1000  # all of them are laid out before the first look


class RaceDesign(BaseModel):
    """What a raced table's tests depend on, which its records hold: nobody can choose looks after having looked."""

    model_config = EXACT

    min_seeds: Annotated[int, Field(ge=1)] = Field(
        default=3, description="Seeds of every row, before the first look; 1 needs `folds:`."
    )
    max_seeds: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = Field(
        default=24, description="Seeds after which a row ends, decided or not."
    )
    looks: Count = Field(default=6, description="Times at which rows are tested; the error rate of 5 % is spent over them.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_seeds < self.min_seeds:
            raise ValueError(f"max_seeds of at least min_seeds, {self.min_seeds}; it is {self.max_seeds}")
        return self

    @property
    def seeds_at_looks(self) -> tuple[int, ...]:
        """The number of seeds at each look, ascending, the last being `max_seeds`: evenly spaced, fewer if seeds are."""
        if self.looks == 1:
            return (self.max_seeds,)
        step = (self.max_seeds - self.min_seeds) / (self.looks - 1)
        return tuple(sorted({round(self.min_seeds + step * look) for look in range(self.looks)}))

    def __str__(self) -> str:
        return f"looks at {', '.join(map(str, self.seeds_at_looks))} seeds"


class Race(RaceDesign):
    """The block as written: the design, and a budget after which no further seed is begun."""

    runs: Count | None = Field(default=None, description="Most runs of all rows together, recorded ones included; null: any.")
    hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Hours of a `kdbench run --race` after which it begins no further seed; null: any."
    )

    @property
    def design(self) -> RaceDesign:
        """Without the budget, which may change from day to day, and with no more looks than there are."""
        return RaceDesign(min_seeds=self.min_seeds, max_seeds=self.max_seeds, looks=len(self.seeds_at_looks))
