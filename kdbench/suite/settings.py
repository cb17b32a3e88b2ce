"""The blocks of a suite that hold plain settings: training, evaluation, latency."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from kdbench.suite.block import EXACT, Count

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Block(BaseModel):
    """A part of a suite: immutable; unknown keys are rejected and types are strict."""

    model_config = EXACT


def _areas(crop: list[float]) -> list[float]:
    if len(crop) != 2 or not 0 < crop[0] <= crop[1]:
        raise ValueError("two areas in ascending order, the first above 0")
    return crop


class Views(Block):
    """Augmented views of each train image and caption, which teachers encode once and the student is shown in turn."""

    count: Count = Field(default=8, description="Views of each image, and of each caption with `drop_words`.")
    crop: Annotated[list[Share], AfterValidator(_areas)] = Field(
        default=[0.5, 1.0], description="Smallest and largest area of a crop, as a fraction of the image."
    )
    flip: Share = Field(default=0.0, description="Probability of mirroring; captions may tell left from right.")
    color: Share = Field(default=0.0, description="Brightness, contrast and saturation change by factors of up to 1 ± this.")
    erase: Share = Field(default=0.0, description="Probability of erasing a rectangle.")
    drop_words: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Probability of leaving out each word of a caption; at least one stays."
    )
    teachers: Literal["same", "clean"] = Field(
        default="same", description="same: teachers see the views; clean: they see the image and the caption themselves."
    )


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
        description="Factors of `lr` by pattern of parameter names, such as `clip.visual.*: 0.1`; the longest that fits "
        "counts. 0 freezes.",
    )
    clip_norm: Positive = Field(default=1.0, description="Largest norm of the student's gradient; larger ones are clipped.")
    task: NotNegative = Field(default=1.0, description="Coefficient of the task loss; 0: the student sees teachers alone.")
    loss: str | None = Field(
        default=None, description="Name of the task's loss, in retrieval `clip` (InfoNCE) or `siglip`; null: the first."
    )
    distill: NotNegative = Field(default=1.0, description="λ: weight of the teachers' losses beside the task loss.")
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Decay of a moving average of the weights, which is evaluated and kept; null: none."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 on GPUs that support it, else fp32."
    )
    compile: bool = Field(
        default=False, description="Compile the student's towers for training with torch.compile; a CPU needs a C++ compiler."
    )
    channels_last: bool = Field(
        default=False, description="Keep the student's convolutions in the layout that tensor cores prefer."
    )
    views: Views | None = Field(default=None, description="Augmented views of the train images; null: none.")
    checkpoint_every: Count | None = Field(
        default=None, description="Steps between checkpoints; null: by time, so that they take a hundredth of it."
    )
    devices: Count = Field(default=1, description="Processes per run, each on its own GPU if there are any.")


class StageSettings(Block):
    """Training settings that a stage can change; null: as in the block `train`."""

    epochs: Count | None = Field(
        default=None, description="Passes over the train split in this stage; those of all stages add up."
    )
    lr: Positive | None = Field(default=None, description="Peak learning rate of this stage.")
    warmup: Share | None = Field(default=None, description="Fraction of this stage's steps with linear warm-up.")
    lr_scale: dict[str, NotNegative] | None = Field(
        default=None,
        description='Factors of `lr` by pattern of parameter names, which replace those of `train`; 0 freezes, `{"*": 0}` the '
        "whole student, in any stage but the last.",
    )
    task: NotNegative | None = Field(default=None, description="Coefficient of the task loss.")
    loss: str | None = Field(default=None, description="Name of the task's loss.")
    distill: NotNegative | None = Field(default=None, description="λ: weight of the teachers' losses beside the task loss.")

    def within(self, train: Train) -> Train:
        """The settings of this stage of a training."""
        return train.model_copy(update={name: value for name, value in self if value is not None})


class Evaluate(Block):
    """How runs are validated and evaluated. In a suite file, the task's settings are in the same block."""

    every: Count = Field(default=1, description="Epochs between validations; the last epoch is always validated.")
    batch_size: Count = Field(default=256, description="Samples encoded at a time.")
    margin: Positive | None = Field(
        default=None,
        description="Rows that differ by less, beyond chance, are equivalent; in the metric that ranks them, null: its own.",
    )


class Latency(Block):
    """How a student's latency is measured."""

    batch_sizes: Annotated[list[Count], Field(min_length=1)] = Field(default=[1, 32], description="Samples per call.")
    threads: Count = Field(default=1, description="CPU threads.")
