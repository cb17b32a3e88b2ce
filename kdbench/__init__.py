"""kdbench: a benchmark harness for multi-teacher knowledge distillation of light vision-language models.

What a plugin author needs is exported here; importing it does not import torch.
"""

from kdbench.contracts import (
    Bank,
    Batch,
    Dataset,
    Encoder,
    Lesson,
    Modality,
    Objective,
    Offer,
    Pairs,
    Progress,
    Signal,
    Split,
    SplitName,
    Strategy,
    Student,
    StudentModule,
    Teacher,
    Towers,
    Tracker,
    Uses,
)
from kdbench.contracts.hookspecs import hookimpl
from kdbench.data.streaming import PLACE, PlacedImages
from kdbench.errors import KdbenchError, PluginError, Skip, nearest
from kdbench.plugins.building import build

__version__ = "0.1.0"

__all__ = [
    "PLACE",
    "Bank",
    "Batch",
    "Dataset",
    "Encoder",
    "KdbenchError",
    "Lesson",
    "Modality",
    "Objective",
    "Offer",
    "Pairs",
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
    "Teacher",
    "Towers",
    "Tracker",
    "Uses",
    "build",
    "hookimpl",
    "nearest",
]
