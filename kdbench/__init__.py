"""kdbench: a benchmark harness for multi-teacher knowledge distillation of light vision-language models.

What a plugin author needs is exported here; importing it does not import torch.
"""

from kdbench.contracts import (
    Bank,
    Batch,
    Contributions,
    Dataset,
    Encoder,
    Feed,
    FeedSettings,
    Metric,
    Modality,
    Objective,
    Offer,
    Outputs,
    Pairs,
    Part,
    Progress,
    Signal,
    Split,
    SplitName,
    Strategy,
    Student,
    StudentModule,
    Task,
    Teacher,
    TeacherData,
    TeacherOutputs,
    Towers,
    Tracker,
    Uses,
    World,
)
from kdbench.contracts.hookspecs import hookimpl
from kdbench.errors import KdbenchError, PluginError, Skip, nearest
from kdbench.plugins.building import build
from kdbench.storage.placed_images import PLACE, PlacedImages

__version__ = "0.1.0"

__all__ = [
    "PLACE",
    "Bank",
    "Batch",
    "Contributions",
    "Dataset",
    "Encoder",
    "Feed",
    "FeedSettings",
    "KdbenchError",
    "Metric",
    "Modality",
    "Objective",
    "Offer",
    "Outputs",
    "Pairs",
    "Part",
    "PlacedImages",
    "PluginError",
    "Progress",
    "Signal",
    "Skip",
    "Split",
    "SplitName",
    "Strategy",
    "Student",
    "StudentModule",
    "Task",
    "Teacher",
    "TeacherData",
    "TeacherOutputs",
    "Towers",
    "Tracker",
    "Uses",
    "World",
    "build",
    "hookimpl",
    "nearest",
]
