"""The `sweep` block of a suite: what is tuned, how, and with how many trials."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema
from pydantic_core import PydanticKnownError

from kdbench.suite.block import EXACT, Count
from kdbench.suite.spec import Tuning


def _finite(value: int | float) -> int | float:
    """The number; `allow_inf_nan` of a union would raise OverflowError for an integer that no float holds."""
    if not abs(value) <= sys.float_info.max:
        raise PydanticKnownError("finite_number")
    return value


Number = Annotated[int | float, AfterValidator(_finite)]
COSTS = ("latency", "flops", "parameters")  # costs of a student that can be goals beside the metrics; lower is better


class Part(BaseModel):
    """A part of a sweep: unknown keys are rejected, types are strict."""

    model_config = EXACT


class Range(Part):
    """Values from `low` to `high`, both included; whole numbers if the parameter is an integer."""

    low: Number = Field(description="Smallest value.")
    high: Number = Field(description="Largest value.")
    log: bool = Field(default=False, description="Draw values on a logarithmic scale.")
    step: Annotated[Number, Field(gt=0)] | None = Field(default=None, description="Draw only low, low + step, low + 2 step …")


_SPACE = {"anyOf": [Range.model_json_schema(), {"type": "array", "minItems": 2}]}
Space = dict[str, Annotated[Any, WithJsonSchema(_SPACE)]]  # a range or a list of choices by dotted path


class Pruner(Part):
    """Asynchronous successive halving after the epochs r·ηˢ, r·ηˢ⁺¹, …; see `kdbench.tuning.halving`. Optuna's names."""

    use: Literal["successive_halving", "none"] = Field(default="successive_halving", description="none: every trial finishes.")
    min_resource: Count | None = Field(default=None, description="r: epochs before the first rung; at least evaluate.every.")
    reduction_factor: Annotated[int, Field(ge=2)] = Field(default=3, description="η: one in η trials continues after a rung.")
    min_early_stopping_rate: Annotated[int, Field(ge=0)] = Field(default=0, description="s: the first s rungs are skipped.")
    bootstrap_count: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Trials that must reach a rung before one continues."
    )


class SweepOptions(Part):
    """The settings of all studies of a suite."""

    trials: Count = Field(description="Trials of each study, including failed and pruned ones.")
    metric: str = Field(default="", description="Metric optimised on the validation split; by default the task's headline.")
    sampler: Literal["tpe", "random"] = Field(default="tpe", description="Optuna's TPE, or random draws.")
    startup: Count | None = Field(default=None, description="Random trials before TPE's; a third of all, at most 10.")
    pruner: Pruner | None = Field(default=None, description="successive_halving, or none; none with several objectives.")
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="Seed of the sampler and of every trial's run.")
    objectives: list[str] = Field(
        default=[], description="Several goals instead of one metric: metrics on validation, latency, flops, parameters."
    )

    @property
    def goals(self) -> list[str]:
        """The goals of the optimisation."""
        return self.objectives or [self.metric]


class Settings(SweepOptions):
    """The options of a checked sweep: `metric` is filled in; `minimize` lists metrics for which lower is better."""

    minimize: list[str] = []

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        """The direction of each goal."""
        return ["minimize" if goal in COSTS or goal in self.minimize else "maximize" for goal in self.goals]

    @property
    def budget(self) -> Tuning:
        """The tuning budget stored in runs with the parameters found."""
        return Tuning(split="validation", trials=self.trials, metric=self.metric)


class SweepFile(SweepOptions):
    """Tuning with equal budgets: one study per cell of the grid, tuned on validation."""

    space: Space = Field(default={}, description="Parameters of every cell, by path: train.lr, objective[0].coefficient …")
    strategies: dict[str, Space] = Field(default={}, description="Parameters of single strategies, by label, in addition.")
    student: Space = Field(default={}, description="Parameters of the students; needs `objectives`.")


class Parameter(Part):
    """One dimension of a checked space: a parameter of a run by path, such as `train.lr`, `strategy.C`, `student.width`."""

    path: str
    kind: Literal["float", "int", "choice"]
    low: Number = 0
    high: Number = 0
    log: bool = False
    step: Number | None = None
    choices: list[Any] = []

    def admits(self, value: Any) -> bool:
        """Whether a value can be drawn. True does not count as a number."""
        if self.kind == "choice":
            return any(choice == value and isinstance(choice, bool) == isinstance(value, bool) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "int" else int | float):
            return False
        steps = (value - self.low) / self.step if self.step else 0
        return self.low <= value <= self.high and abs(steps - round(steps)) < 1e-9


class Sweep(Part):
    """A checked sweep: every path exists, and both ends of every range are valid values."""

    settings: Settings
    space: list[Parameter]
    strategies: dict[str, list[Parameter]]  # by label of a strategy
    student: list[Parameter]
