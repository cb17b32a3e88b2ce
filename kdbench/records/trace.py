"""The trace of a run: its loss, teacher weights and gradients over windows of steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from kdbench.records.quantities import Whole
from kdbench.storage.archives import FARTHEST

DIGITS = 6
Reading = Annotated[float, Field(strict=True)]  # where a training diverges, also NaN or infinite


class Trace(BaseModel):
    """Columns with one value per window; columns that a run does not have are empty.

    `step` is the last step of a window, counted from 1. `loss`, `task`, `weights` by teacher and `entropy` (of the weights
    over teachers, in nats; averaged over samples for weights per sample) are means over the window's steps. `cosines` by
    pair of teachers and `conflict` (1 if any cosine is negative) are of the gradients at the window's last step. `report`
    holds the strategy's own figures at that step, None for one without a finite value. `stage` counts from 1; it is empty if
    the training has only one. Raises ValueError if steps do not increase, stages decrease, or a column has another length than
    `step`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: list[Whole] = []
    stage: list[Whole] = []
    loss: list[Reading] = []
    task: list[Reading] = []
    weights: dict[str, list[Reading]] = {}
    entropy: list[Reading] = []
    cosines: dict[str, list[Reading]] = {}
    conflict: list[Whole] = []
    report: dict[str, list[Reading | None]] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (np.diff([0, *self.step]) < 1).any():
            raise ValueError("its steps do not increase")
        if (np.diff([1, *self.stage]) < 0).any():
            raise ValueError("its stages decrease")
        for name, column in self._columns():
            if column and len(column) != len(self.step):
                raise ValueError(f"{name}: found {len(column)} values for {len(self.step)} windows")
            far = np.abs(np.array(column, dtype=float))
            if (np.isfinite(far) & (far > FARTHEST)).any():
                raise ValueError(f"{name}: found values beyond {FARTHEST:g}, which no training has")
        return self

    def _columns(self) -> Iterator[tuple[str, list[Any]]]:
        for name in ("stage", "loss", "task", "entropy", "conflict"):
            yield name, getattr(self, name)
        for name in ("weights", "cosines", "report"):
            yield from ((f"{name}.{key}", column) for key, column in getattr(self, name).items())

    @property
    def fault(self) -> str:
        """Why it cannot be drawn; "" if it can."""
        wanted = {"step": self.step, "loss": self.loss, "task": self.task}
        if self.weights:
            wanted |= {"entropy": self.entropy} | {f"weights.{name}": column for name, column in self.weights.items()}
            wanted |= {f"cosines.{pair}": column for pair, column in self.cosines.items()}
        lacking = [name for name, column in wanted.items() if not column]
        return f"found no values of {', '.join(lacking)}; expected one for each window" if lacking else ""

    @property
    def dynamics(self) -> dict[str, float]:
        """A summary of the trace: mean entropy of the weights, mean gradient cosine, fraction of steps with a conflict."""
        found: dict[str, list[float]] = {"weight_entropy": self.entropy} if len(self.weights) > 1 else {}
        if self.conflict:
            found["gradient_cosine"] = [value for pair in self.cosines.values() for value in pair]
            found["conflicting_steps"] = [float(value) for value in self.conflict]
        return {name: round(sum(values) / len(values), DIGITS) for name, values in found.items() if values}

    @property
    def mean_weights(self) -> dict[str, float]:
        """Mean weights over all steps, by teacher."""
        lengths = np.diff([0, *self.step])
        return {name: float(lengths @ np.array(column) / lengths.sum()) for name, column in self.weights.items() if column}
