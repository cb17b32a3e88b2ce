"""The `sweep` block of a suite: what is tuned, by what, with how many trials."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from kdbench.suite.block import EXACT, Count
from kdbench.suite.spec import Tuning

Number = Annotated[int | float, Field(allow_inf_nan=False)]
COSTS = ("latency", "flops", "parameters")  # of a student, beside the metrics: the less the better


class Part(BaseModel):
    """A part of a sweep: unknown keys are refused, types are exact."""

    model_config = EXACT


class Range(Part):
    """Values from `low` to `high`, both included; whole numbers where the parameter is one."""

    low: Number
    high: Number
    log: bool = Field(default=False, description="Drawn on a logarithmic scale.")
    step: Annotated[Number, Field(gt=0)] | None = Field(default=None, description="Only low, low + step, low + 2 step …")


_SPACE = {"anyOf": [Range.model_json_schema(), {"type": "array", "minItems": 2}]}
Space = dict[str, Annotated[Any, WithJsonSchema(_SPACE)]]  # a range or a list of choices by dotted path


class Pruner(Part):
    """Asynchronous successive halving after the epochs r·ηˢ, r·ηˢ⁺¹, …; see `kdbench.tuning.halving`. Optuna's names."""

    use: Literal["successive_halving", "none"] = "successive_halving"
    min_resource: Count | None = Field(default=None, description="r: epochs before the first rung; at least evaluate.every.")
    reduction_factor: Annotated[int, Field(ge=2)] = Field(default=3, description="η: one of so many goes on at a rung.")
    min_early_stopping_rate: Annotated[int, Field(ge=0)] = Field(default=0, description="s: rungs that are left out.")
    bootstrap_count: Annotated[int, Field(ge=0)] = Field(default=0, description="Trials a rung has seen before it lets one on.")


class Settings(Part):
    """How a study is conducted, the same for all studies of a suite."""

    trials: Count = Field(description="Trials of each study in all, whatever becomes of them.")
    metric: str = Field(default="", description="What is optimised on the validation split; by default the task's headline.")
    sampler: Literal["tpe", "random"] = "tpe"
    startup: Count | None = Field(default=None, description="Random trials before TPE's; a third of all, at most 10.")
    pruner: Pruner | None = Field(default=None, description="successive_halving, or none; none with several objectives.")
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="Of the sampler, and of every trial's run.")
    objectives: list[str] = Field(
        default=[], description="Several instead of one: metrics on validation (more is better), latency, flops, parameters."
    )

    minimize: list[str] = Field(default=[], description="Those of the goals, besides costs, that are better lower; filled in.")

    @property
    def goals(self) -> list[str]:
        """What is optimised."""
        return self.objectives or [self.metric]

    @property
    def directions(self) -> list[Literal["minimize", "maximize"]]:
        """Of each goal."""
        return ["minimize" if goal in COSTS or goal in self.minimize else "maximize" for goal in self.goals]

    @property
    def budget(self) -> Tuning:
        """What the runs that follow say of their tuning."""
        return Tuning(split="validation", trials=self.trials, metric=self.metric)


class SweepFile(Settings):
    """Tuning with equal budgets: one study a cell of the grid, tuned on validation."""

    space: Space = Field(default={}, description="Of every cell: train.lr, objective[0].coefficient …")
    strategies: dict[str, Space] = Field(default={}, description="By strategy's label, on top: its parameters.")
    student: Space = Field(default={}, description="With `objectives`: parameters of the students.")


class Parameter(Part):
    """One dimension of a checked space, and the part of a run that it sets: `train.lr`, `strategy.C`, `student.width` …"""

    path: str
    kind: Literal["float", "int", "choice"]
    low: Number = 0
    high: Number = 0
    log: bool = False
    step: Number | None = None
    choices: list[Any] = []

    def admits(self, value: Any) -> bool:
        """Whether a value is one of those that are drawn. True is no number."""
        if self.kind == "choice":
            return any(choice == value and isinstance(choice, bool) == isinstance(value, bool) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "int" else int | float):
            return False
        steps = (value - self.low) / self.step if self.step else 0
        return self.low <= value <= self.high and abs(steps - round(steps)) < 1e-9


class Sweep(Part):
    """A checked sweep: every path is known and both ends of every range are valid values."""

    settings: Settings
    space: list[Parameter]
    strategies: dict[str, list[Parameter]]  # by label, of the strategies there are
    student: list[Parameter]
