"""A suite file, checked: YAML to a validated Suite. Every error carries file, line, path, found, expected, nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from kdbench.contracts import Uses
from kdbench.suite.block import EXACT, Count
from kdbench.suite.sweep import Sweep, SweepFile

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Block(BaseModel):
    """A part of a suite: unknown keys are refused, types are exact."""

    model_config = EXACT


class Train(Block):
    """How every run is trained: AdamW, linear warm-up, cosine decay to zero."""

    epochs: Count = Field(default=30, description="Passes over the training images; each draws one caption an image.")
    batch_size: Annotated[int, Field(ge=2)] = Field(default=256, description="Pairs in a step.")
    lr: Positive = Field(default=1e-3, description="Peak learning rate.")
    weight_decay: NotNegative = Field(default=0.1, description="On matrices; biases, norms and scales have none.")
    warmup: Share = Field(default=0.1, description="Share of the steps with linear warm-up.")
    clip_norm: Positive = Field(default=1.0, description="Largest norm of the student's gradient.")
    distill: NotNegative = Field(default=1.0, description="λ: weight of the teachers' losses beside the task loss.")
    precision: Literal["auto", "fp32", "bf16"] = Field(default="auto", description="auto: bf16 where a GPU has it.")
    checkpoint_every: Count = Field(default=100, description="Steps between checkpoints; epoch ends have one too.")
    devices: Count = Field(default=1, description="Processes that share a run, on a GPU each where there are any.")


class Evaluate(Block):
    """How runs are validated and ranked."""

    recall_at: Annotated[list[Count], Field(min_length=1)] = Field(default=[1, 5, 10], description="The K of R@K.")
    every: Count = Field(default=1, description="Epochs between validations; the last epoch is always validated.")
    batch_size: Count = Field(default=256, description="Images or captions encoded at once.")


class Latency(Block):
    """How a student's latency is measured."""

    batch_sizes: Annotated[list[Count], Field(min_length=1)] = [1, 32]
    threads: Count = 1


def _plugin(kind: str, description: str) -> Any:
    return Field(description=description, json_schema_extra={"x-kdbench-kind": kind})


DatasetEntry = Annotated[dict[str, Any], Uses("dataset"), _plugin("dataset", "A dataset: `use:` and its parameters.")]
StudentEntry = Annotated[dict[str, Any], Uses("student"), _plugin("student", "A student: `use:` and its parameters.")]
TeacherEntry = Annotated[dict[str, Any], Uses("teacher"), _plugin("teacher", "A teacher: `use:` and its parameters.")]
StrategyEntry = Annotated[dict[str, Any], Uses("strategy"), _plugin("strategy", "A strategy: `use:` and its parameters.")]
TermEntry = Annotated[dict[str, Any], Uses("objective"), _plugin("objective", "A term: `use:`, `coefficient`, parameters.")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")]


VariantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ,=/_.+-]*$")]


class Variant(Block):
    """What a variant may change of its suite."""

    students: list[StudentEntry] = []
    teachers: dict[Name, TeacherEntry] = {}
    teams: list[list[str]] = []
    strategies: list[StrategyEntry] = []
    objective: list[TermEntry] = []
    train: dict[str, Any] = {}


class SuiteFile(Block):
    """What a suite file holds. The grid is datasets × students × teams × strategies × seeds."""

    name: Name = Field(description="Names the folder of its records under results/.")
    description: str = ""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]
    datasets: Annotated[list[DatasetEntry], Field(min_length=1)]
    students: Annotated[list[StudentEntry], Field(min_length=1)]
    teachers: dict[Name, TeacherEntry] = {}
    teams: Annotated[list[list[str]], Field(min_length=1)] = Field(
        default=[[]], description="Lists of teacher names; [] is no distillation. Fewer than two take no strategy."
    )
    references: list[str] = Field(
        default=[], description="Teachers that are ranked themselves, as they are: rows of their own."
    )
    strategies: list[StrategyEntry] = []
    objective: list[TermEntry] = []
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    latency: Latency = Latency()
    sweep: SweepFile | None = Field(default=None, description="What `kdbench sweep` tunes; nothing else reads it.")
    variants: dict[VariantName, Variant] = Field(
        default={},
        description="Ablations by name: each is the suite with some blocks changed, and all of them are run in its place. "
        "Lists are replaced, maps merged; `full: {}` is the suite as it stands.",
    )


class Plugged(Block):
    """A plugin as a suite uses it: a label, the offer's name and all its parameters, defaults filled in."""

    name: str
    use: str
    params: dict[str, Any]


class Term(Plugged):
    """A term of the objective."""

    coefficient: float


class Suite(Block):
    """A checked suite: every plugin is known and every parameter typed and filled in."""

    path: Path
    name: str
    seeds: list[int]
    datasets: list[Plugged]
    students: list[Plugged]
    teachers: dict[str, Plugged]
    teams: list[list[str]]
    references: list[str]
    strategies: list[Plugged]
    objective: list[Term]
    train: Train
    evaluate: Evaluate
    latency: Latency
    smoke: bool = False
    sweep: Sweep | None = None
    variants: dict[str, Suite] = {}  # if there are any, they are what is run
