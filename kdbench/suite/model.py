"""A suite file, checked: YAML to a validated Suite. Every error carries file, line, path, found, expected, nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from kdbench.contracts import Uses
from kdbench.suite.settings import Block, Evaluate, Latency, Train
from kdbench.suite.spec import PluginSpec, TermSpec
from kdbench.suite.sweep import Sweep, SweepFile


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

    students: list[StudentEntry] = Field(default=[], description="In place of the suite's students.")
    teachers: dict[Name, TeacherEntry] = Field(
        default={}, description="Teachers beside the suite's or, by name, in their place."
    )
    teams: list[list[str]] = Field(default=[], description="In place of the suite's teams.")
    strategies: list[StrategyEntry] = Field(default=[], description="In place of the suite's strategies.")
    objective: list[TermEntry] = Field(default=[], description="In place of the suite's objective.")
    train: dict[str, Any] = Field(default={}, description="Training settings that differ from the suite's.")


class SuiteFile(Block):
    """What a suite file holds. The grid is datasets × students × teams × strategies × seeds."""

    name: Name = Field(description="Names the folder of its records under results/.")
    description: str = Field(default="", description="One line, shown by `kdbench suites`.")
    extends: str | list[str] = Field(
        default=[],
        description="Presets whose parts this suite takes over, such as students/resnet-48px: a file beside the suite or a "
        "shipped preset. Maps merge, lists are replaced, later presets win, the suite's own keys win over all.",
    )
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = Field(
        default=[0], description="One run per cell and seed; at least three for intervals, five for a verdict."
    )
    datasets: Annotated[list[DatasetEntry], Field(min_length=1)] = Field(description="Datasets of one task, a table each.")
    students: Annotated[list[StudentEntry], Field(min_length=1)] = Field(description="Students, a table each.")
    teachers: dict[Name, TeacherEntry] = Field(default={}, description="Teachers by the name that teams use.")
    teams: Annotated[list[list[str]], Field(min_length=1)] = Field(
        default=[[]], description="Lists of teacher names; [] is no distillation. Fewer than two take no strategy."
    )
    references: list[str] = Field(default=[], description="Teachers evaluated themselves, without training: rows of their own.")
    strategies: list[StrategyEntry] = Field(default=[], description="How teams of two or more are weighted, a row each.")
    objective: list[TermEntry] = Field(default=[], description="Distillation losses of one teacher, summed.")
    train: Train = Field(default=Train(), description="How every run is trained.")
    evaluate: Evaluate = Field(default=Evaluate(), description="How runs are evaluated; settings of the task stand here too.")
    latency: Latency = Field(default=Latency(), description="How students' latency is measured.")
    sweep: SweepFile | None = Field(default=None, description="What `kdbench sweep` tunes; nothing else reads it.")
    variants: dict[VariantName, Variant] = Field(
        default={},
        description="Ablations by name: each is the suite with some blocks changed, and all of them are run in its place. "
        "Lists are replaced, maps merged; `full: {}` is the suite unchanged.",
    )


class Suite(Block):
    """A checked suite: every plugin is known and every parameter typed and filled in."""

    path: Path
    name: str
    task: PluginSpec  # that its datasets pose, with its settings
    seeds: list[int]
    datasets: list[PluginSpec]
    students: list[PluginSpec]
    teachers: dict[str, PluginSpec]
    teams: list[list[str]]
    references: list[str]
    strategies: list[PluginSpec]
    objective: list[TermSpec]
    train: Train
    evaluate: Evaluate
    latency: Latency
    smoke: bool = False
    sweep: Sweep | None = None
    variants: dict[str, Suite] = {}  # if there are any, they are what is run
