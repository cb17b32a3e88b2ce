"""The `race` block of a suite: seeds go to rows that are still undecided."""

from __future__ import annotations

from itertools import accumulate
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from kdbench.suite.block import EXACT, Count

MOST_SEEDS = 1000  # all of them are laid out before the first look
MOST_LOOKS = 50  # the bounds of a hundred take a minute


class RaceDesign(BaseModel):
    """What a raced table's tests depend on, which its records hold: nobody can choose looks after having looked."""

    model_config = EXACT

    min_seeds: Annotated[int, Field(ge=1)] = Field(
        default=3, description="Seeds of every row, before the first look; 1 needs `folds:`."
    )
    max_seeds: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = Field(
        default=24, description="Seeds after which a row ends, decided or not."
    )
    looks: Annotated[int, Field(ge=1, le=MOST_LOOKS)] = Field(
        default=6, description="Times at which rows are tested; the error rate of 5 % is spent over them."
    )
    futility: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Rows with a smaller chance to be told from the best one by the last look stop; 0: none."
    )

    @model_serializer(mode="wrap")
    def _without_a_rule_that_is_off(self, others: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Records of races from before there was a rule say nothing of it."""
        form: dict[str, Any] = others(self)
        if not self.futility:
            form.pop("futility", None)
        return form

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_seeds < self.min_seeds:
            raise ValueError(f"max_seeds of at least min_seeds, {self.min_seeds}; it is {self.max_seeds}")
        return self

    @property
    def seeds_at_looks(self) -> tuple[int, ...]:
        """The number of seeds at each look, ascending, the last being `max_seeds`: fewer if there are fewer seeds.

        Each is the same multiple of the one before, rounded, as the precision of a mean grows with the root of the seeds:
        simulated races with evenly spaced looks needed more runs for the same findings.
        """
        looks = min(self.looks, self.max_seeds - self.min_seeds + 1)
        if looks == 1:
            return (self.max_seeds,)
        factor = (self.max_seeds / self.min_seeds) ** (1 / (looks - 1))
        spaced = [round(self.min_seeds * factor**look) for look in range(looks)]
        return tuple(accumulate(spaced, lambda before, wanted: max(wanted, before + 1)))

    def __str__(self) -> str:
        stop = f", rows with a chance below {100 * self.futility:g}% stop" if self.futility else ""
        return f"looks at {', '.join(map(str, self.seeds_at_looks))} seeds{stop}"


class Race(RaceDesign):
    """The block as written: the design, and a budget after which no further seed is begun."""

    futility: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.01, description="Rows with a smaller chance to be told from the best one by the last look stop; 0: none."
    )
    runs: Count | None = Field(default=None, description="Most runs of all rows together, recorded ones included; null: any.")
    hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Hours of a `kdbench run --race` after which it begins no further seed; null: any."
    )

    @property
    def design(self) -> RaceDesign:
        """Without the budget, which may change from day to day, and with no more looks than there are."""
        looks = len(self.seeds_at_looks)
        return RaceDesign(min_seeds=self.min_seeds, max_seeds=self.max_seeds, looks=looks, futility=self.futility)
