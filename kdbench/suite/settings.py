"""The blocks of a suite that hold plain settings: training, evaluation, latency."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from kdbench.suite.block import EXACT, Count

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Block(BaseModel):
    """A part of a suite: immutable; unknown keys are rejected and types are strict."""

    model_config = EXACT


class Train(Block):
    """Training settings of all runs: AdamW, linear warm-up, cosine decay to zero."""

    epochs: Count = Field(default=30, description="Passes over the train split.")
    batch_size: Annotated[int, Field(ge=2)] = Field(default=256, description="Samples per step.")
    micro_batch: Count | None = Field(
        default=None, description="Samples per pass through the student's towers, to save memory; null: the whole batch."
    )
    lr: Positive = Field(default=1e-3, description="Peak learning rate.")
    weight_decay: NotNegative = Field(default=0.1, description="Weight decay of matrices; biases, norms and scales have none.")
    warmup: Share = Field(default=0.1, description="Fraction of the steps with linear warm-up.")
    lr_scale: dict[str, NotNegative] = Field(
        default={},
        description="Factors of `lr` by pattern of parameter names, such as `visual.*: 0.1`; the last that matches counts. "
        "0 freezes.",
    )
    clip_norm: Positive = Field(default=1.0, description="Largest norm of the student's gradient; larger ones are clipped.")
    task: NotNegative = Field(default=1.0, description="Coefficient of the task loss; 0: the student sees teachers alone.")
    distill: NotNegative = Field(default=1.0, description="λ: weight of the teachers' losses beside the task loss.")
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Decay of a moving average of the weights, which is evaluated and kept; null: none."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 on GPUs that support it, else fp32."
    )
    checkpoint_every: Count = Field(default=100, description="Steps between checkpoints; there is also one after each epoch.")
    devices: Count = Field(default=1, description="Processes per run, each on its own GPU if there are any.")


class Evaluate(Block):
    """How runs are validated and evaluated. In a suite file, the task's settings are in the same block."""

    every: Count = Field(default=1, description="Epochs between validations; the last epoch is always validated.")
    batch_size: Count = Field(default=256, description="Samples encoded at a time.")


class Latency(Block):
    """How a student's latency is measured."""

    batch_sizes: Annotated[list[Count], Field(min_length=1)] = Field(default=[1, 32], description="Samples per call.")
    threads: Count = Field(default=1, description="CPU threads.")
