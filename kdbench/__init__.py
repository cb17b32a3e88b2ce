"""kdbench: a benchmark harness for multi-teacher knowledge distillation of small vision-language models.

`run`, `load` and `evaluate` are the Python API; the other names are what plugin authors need. Importing the package imports
nothing else, so that commands start fast: each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdbench.contracts import (
        Attribution,
        Bank,
        Batch,
        Contributions,
        Dataset,
        Distillation,
        Encoder,
        Engine,
        Event,
        ExportContext,
        Exported,
        ExportedModel,
        Exporter,
        ExposingTeacher,
        Feed,
        FeedSettings,
        Found,
        Hit,
        ImageCost,
        Item,
        LivePart,
        Method,
        Metric,
        Modality,
        ModelCard,
        NoTower,
        Objective,
        Offer,
        Outputs,
        Pairs,
        Part,
        Picture,
        Progress,
        Queries,
        Report,
        Reported,
        Shapes,
        Shown,
        Signal,
        Site,
        Split,
        SplitName,
        Strategy,
        Student,
        StudentModule,
        Tap,
        Taps,
        Task,
        Teacher,
        TeacherData,
        TeacherOutputs,
        TensorOutputs,
        TextReport,
        Towers,
        Tracker,
        Uses,
        Work,
        World,
    )
    from kdbench.contracts.hookspecs import hookimpl
    from kdbench.deploy.evaluation import Evaluation, evaluate
    from kdbench.engines.suite_run import run
    from kdbench.errors import KdbenchError, PluginError, Skip, UnusableItems, nearest
    from kdbench.plugins.building import build
    from kdbench.reports.results import Results, load
    from kdbench.storage.module_digest import module_digest
    from kdbench.storage.placed_images import PLACE, PlacedImages

__version__ = "0.1.0"

__all__ = [
    "PLACE",
    "Attribution",
    "Bank",
    "Batch",
    "Contributions",
    "Dataset",
    "Distillation",
    "Encoder",
    "Engine",
    "Evaluation",
    "Event",
    "ExportContext",
    "Exported",
    "ExportedModel",
    "Exporter",
    "ExposingTeacher",
    "Feed",
    "FeedSettings",
    "Found",
    "Hit",
    "ImageCost",
    "Item",
    "KdbenchError",
    "LivePart",
    "Method",
    "Metric",
    "Modality",
    "ModelCard",
    "NoTower",
    "Objective",
    "Offer",
    "Outputs",
    "Pairs",
    "Part",
    "Picture",
    "PlacedImages",
    "PluginError",
    "Progress",
    "Queries",
    "Report",
    "Reported",
    "Results",
    "Shapes",
    "Shown",
    "Signal",
    "Site",
    "Skip",
    "Split",
    "SplitName",
    "Strategy",
    "Student",
    "StudentModule",
    "Tap",
    "Taps",
    "Task",
    "Teacher",
    "TeacherData",
    "TeacherOutputs",
    "TensorOutputs",
    "TextReport",
    "Towers",
    "Tracker",
    "UnusableItems",
    "Uses",
    "Work",
    "World",
    "build",
    "evaluate",
    "hookimpl",
    "load",
    "module_digest",
    "nearest",
    "run",
]

_NAMES = {
    "run": "kdbench.engines.suite_run",
    "load": "kdbench.reports.results",
    "Results": "kdbench.reports.results",
    "evaluate": "kdbench.deploy.evaluation",
    "Evaluation": "kdbench.deploy.evaluation",
    "PLACE": "kdbench.storage.placed_images",
    "PlacedImages": "kdbench.storage.placed_images",
    "hookimpl": "kdbench.contracts.hookspecs",
    "module_digest": "kdbench.storage.module_digest",
    "build": "kdbench.plugins.building",
    "KdbenchError": "kdbench.errors",
    "PluginError": "kdbench.errors",
    "Skip": "kdbench.errors",
    "UnusableItems": "kdbench.errors",
    "nearest": "kdbench.errors",
}  # of all others, kdbench.contracts


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(_NAMES.get(name, "kdbench.contracts")), name)
    raise AttributeError(f"module 'kdbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
