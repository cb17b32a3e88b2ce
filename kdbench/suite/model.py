"""The models of a suite: SuiteFile as written, Suite as checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kdbench.contracts import Uses
from kdbench.errors import KdbenchError, SuiteError
from kdbench.suite.block import Name, Word
from kdbench.suite.race import Race, RaceDesign
from kdbench.suite.settings import Block, Evaluate, Latency, StageSettings, Train
from kdbench.suite.spec import PluginSpec, StageSpec, TaskDataset, TermSpec
from kdbench.suite.sweep import Sweep, SweepFile
from kdbench.suite.yaml_file import YamlPath


def _plugin(kind: str, description: str) -> Any:
    return Field(description=description, json_schema_extra={"x-kdbench-kind": kind})


DatasetEntry = Annotated[dict[str, Any], Uses("dataset"), _plugin("dataset", "A dataset: `use:` and its parameters.")]
StudentEntry = Annotated[dict[str, Any], Uses("student"), _plugin("student", "A student: `use:` and its parameters.")]
TeacherEntry = Annotated[dict[str, Any], Uses("teacher"), _plugin("teacher", "A teacher: `use:` and its parameters.")]
StrategyEntry = Annotated[dict[str, Any], Uses("strategy"), _plugin("strategy", "A strategy: `use:` and its parameters.")]
TermEntry = Annotated[dict[str, Any], Uses("objective"), _plugin("objective", "A term: `use:`, `coefficient`, parameters.")]


class Variant(Block):
    """The blocks that a variant can change."""

    students: list[StudentEntry] = Field(default=[], description="Replaces the suite's students.")
    teachers: dict[Word, TeacherEntry] = Field(
        default={}, description="Added to the suite's teachers, or replacing those of the same name."
    )
    teams: list[list[str]] = Field(default=[], description="Replaces the suite's teams.")
    strategies: list[StrategyEntry] = Field(default=[], description="Replaces the suite's strategies.")
    objective: list[TermEntry] = Field(default=[], description="Replaces the suite's objective.")
    train: dict[str, Any] = Field(default={}, description="Training settings that replace the suite's.")


class StageFile(StageSettings):
    """A stage: what it changes. The learning rate begins anew with its warm-up, as does the optimizer."""

    objective: list[TermEntry] = Field(default=[], description="Terms of this stage in place of the suite's `objective`.")
    strategy: StrategyEntry | None = Field(
        default=None, description="Weights the teachers of all rows in this stage; null: the row's own strategy does."
    )


class TrainFile(Train):
    """Training settings of all runs: AdamW, linear warm-up, cosine decay to zero."""

    stages: list[StageFile] = Field(
        default=[], description="Stages of the training, one after the other; what one does not state is as in `train`."
    )


class EvaluateFile(Evaluate):
    """How runs are validated and evaluated. In a suite file, the task's settings are in the same block."""

    also: list[DatasetEntry] = Field(
        default=[],
        description="Further datasets on whose test split every trained student and reference is evaluated, without training; "
        "each has its own table.",
    )


class SuiteFile(Block):
    """The contents of a suite file. The grid is datasets × students × teams × strategies × seeds."""

    name: Word = Field(description="Name of the suite, and of the folder of its records under results/.")
    description: str = Field(default="", description="Description in one line, shown by `kdbench suites`.")
    extends: str | list[str] = Field(
        default=[],
        description="Presets to merge into this suite, such as students/resnet-48px: files beside it or shipped presets. "
        "Maps are merged, lists replaced; later presets override earlier ones, and the suite's own keys override all.",
    )
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = Field(
        default=[0], description="One run per cell and seed; at least three for intervals, five for a verdict."
    )
    folds: Annotated[int, Field(ge=3)] | None = Field(
        default=None,
        description="Cross-validation: every cell and seed has this many runs, each testing another part of the dataset; for "
        "small datasets. null: the dataset's own splits.",
    )
    datasets: Annotated[list[DatasetEntry], Field(min_length=1)] = Field(
        description="Datasets, all of one task; each has its own table."
    )
    students: Annotated[list[StudentEntry], Field(min_length=1)] = Field(description="Students; each has its own table.")
    teachers: dict[Word, TeacherEntry] = Field(default={}, description="Teachers, by the names that teams use.")
    teams: Annotated[list[list[str]], Field(min_length=1)] = Field(
        default=[[]], description="Lists of teacher names; [] is no distillation. Fewer than two have no strategy."
    )
    references: list[str] = Field(
        default=[], description="Teachers evaluated themselves, without training; each has its own row."
    )
    strategies: list[StrategyEntry] = Field(
        default=[], description="How teams of two or more are weighted; each strategy has its own row."
    )
    objective: list[TermEntry] = Field(
        default=[], description="Terms of the distillation loss of one teacher; they are summed."
    )
    train: TrainFile = Field(default=TrainFile(), description="Training settings of all runs.")
    evaluate: EvaluateFile = Field(default=EvaluateFile(), description="Evaluation settings, including those of the task.")
    latency: Latency = Field(default=Latency(), description="How the latency of students is measured.")
    timeout: Annotated[float, Field(ge=0.1, allow_inf_nan=False)] | None = Field(
        default=None,
        description="Seconds after which a run, a trial or the preparation of a teacher is stopped and fails; null: no limit. "
        "Changes no run id; `--timeout` overrides it.",
    )
    sweep: SweepFile | None = Field(default=None, description="What `kdbench sweep` tunes; ignored by other commands.")
    variants: dict[Name, Variant] = Field(
        default={},
        description="Ablations by name: each is the suite with some blocks changed; they are run instead of the suite itself. "
        "Lists are replaced, maps merged; `full: {}` is the unchanged suite.",
    )
    regimes: dict[Name, Variant] = Field(
        default={},
        description="Situations by name: as variants, but the rows of each have a table of their own. A suite has variants or "
        "regimes.",
    )
    race: Race | None = Field(
        default=None, description="How `kdbench run --race` spends seeds: on undecided rows; null: its defaults."
    )


class Suite(Block):
    """A checked suite: all plugins are known, all parameters are typed and have values."""

    path: Path
    name: str
    task: PluginSpec  # of its datasets, with its settings
    seeds: list[int]
    folds: int | None = None
    datasets: list[PluginSpec]
    also: list[TaskDataset] = []  # evaluated on as well
    students: list[PluginSpec]
    teachers: dict[str, PluginSpec]
    teams: list[list[str]]
    references: list[str]
    strategies: list[PluginSpec]
    objective: list[TermSpec]
    train: Train
    stages: list[StageSpec] = []
    evaluate: Evaluate
    latency: Latency
    timeout: float | None = None
    smoke: bool = False
    sweep: Sweep | None = None
    variants: dict[str, Suite] = {}  # if there are any, they are run instead of the suite itself
    regimes: bool = False  # whether the variants are regimes
    race: Race | None = None  # as written
    raced: RaceDesign | None = None  # of a suite that is raced


def raced(suite: Suite, overrides: Mapping[YamlPath, str] | None = None) -> Suite:
    """The suite as it is raced, with the most seeds that a row may have; `overrides` are those of its source.

    Raises KdbenchError for a smoke run, which has one seed, and for an override of the suite's seeds, which a race ignores.
    """
    if suite.smoke:
        raise KdbenchError("--smoke: found with --race; expected one of the two: a smoke run has one seed")
    if given := next((text for path, text in (overrides or {}).items() if path[0] == "seeds"), None):
        raise SuiteError(
            f"override {given!r}: found with --race, which gives seeds itself; expected race.min_seeds=COUNT and "
            "race.max_seeds=COUNT"
        )
    race = suite.race or Race()
    return suite.model_copy(update={"raced": race.design, "seeds": list(range(race.max_seeds))})
