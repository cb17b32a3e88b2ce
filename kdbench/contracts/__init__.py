"""What a plugin implements and what it receives. Plugins import these names from `kdbench`.

Shapes: N images, M captions, B samples in a batch, T teachers, d the width of an embedding. Embeddings are unit vectors.
Nothing here imports torch: offering a plugin stays cheap.
"""

from kdbench.contracts.attribution import Attribution
from kdbench.contracts.dataset import Dataset, Split, SplitName
from kdbench.contracts.encoder import Encoder, Modality
from kdbench.contracts.engine import Engine, Event, Site, Work
from kdbench.contracts.exporter import ExportContext, Exported, ExportedModel, Exporter, ModelCard
from kdbench.contracts.internals import ExposingTeacher, Shapes, Tap, Taps
from kdbench.contracts.metric import Metric
from kdbench.contracts.objective import Objective
from kdbench.contracts.offer import Offer, Status, Uses
from kdbench.contracts.pairs import Bank, Batch, Pairs
from kdbench.contracts.report import Method, Report, Reported, TextReport
from kdbench.contracts.shown import Found, Hit, Item, Picture, Shown
from kdbench.contracts.strategy import Signal, Strategy
from kdbench.contracts.student import Student, StudentModule
from kdbench.contracts.task import (
    Contributions,
    Data,
    Feed,
    FeedSettings,
    MovingOutputs,
    Outputs,
    Part,
    Queries,
    Task,
    TeacherOutputs,
    TensorOutputs,
    World,
)
from kdbench.contracts.teacher import Distillation, ImageCost, LivePart, NoTower, Teacher, TeacherData, Towers
from kdbench.contracts.tracker import Progress, Tracker

__all__ = [
    "Attribution",
    "Bank",
    "Batch",
    "Contributions",
    "Data",
    "Dataset",
    "Distillation",
    "Encoder",
    "Engine",
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
    "LivePart",
    "Method",
    "Metric",
    "Modality",
    "ModelCard",
    "MovingOutputs",
    "NoTower",
    "Objective",
    "Offer",
    "Outputs",
    "Pairs",
    "Part",
    "Picture",
    "Progress",
    "Queries",
    "Report",
    "Reported",
    "Shapes",
    "Shown",
    "Signal",
    "Site",
    "Split",
    "SplitName",
    "Status",
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
    "Uses",
    "Work",
    "World",
]
