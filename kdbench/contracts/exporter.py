"""Exporters: formats in which a trained student is written for use elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kdbench.contracts.task import Task
from kdbench.contracts.values import Owned

TOLERANCE = 1e-3  # the largest difference between an entry of an output as exported and as trained


@dataclass(frozen=True)
class ExportContext:
    """What an exporter is told of the student that it writes.

    `folder` is empty; it gets its final name once everything has been written and evaluated. `data` is the dataset of the
    run as its task opens it, `encoded` the test split as the student reads it (`Task.encode`).
    """

    folder: Path
    name: str  # the student's label in its suite
    run_id: str
    label: str  # of the run
    task: Task
    data: Owned
    encoded: Owned
    batch_size: int  # to evaluate in


@dataclass(frozen=True)
class ExportedModel:
    """A model that was written, loaded again by the runtime that is to use it.

    The task evaluates `student` on `encoded`, the test split as that model reads it, by `Task.evaluate`. `difference` is
    the largest absolute difference between an entry of its outputs and of the trained student's. `latency` holds median
    milliseconds on a CPU by the name of what was timed.
    """

    student: Owned
    encoded: Owned
    difference: float | None = None
    name: str = "float32"  # tells variants apart, such as `int8`
    latency: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """What a model card (README.md) says of a format: names that Hugging Face knows, and in Markdown how to load the folder."""

    library: str
    usage: str
    pipeline: str | None = None
    task_type: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class Exported:
    """What an exporter wrote.

    The first model must be the student, within `TOLERANCE`; further ones are lossy variants, which are evaluated alone.
    With a `card`, kdbench writes README.md: the student, its training and its metrics. With `metadata`, values for JSON,
    it writes metadata.json: those, the run, and what was measured. `packages` are distributions whose versions matter.
    """

    models: Sequence[ExportedModel]
    card: ModelCard | None = None
    metadata: Mapping[str, Any] | None = None
    packages: Sequence[str] = ()


class Exporter(Protocol):
    """A format in which `kdbench export RUN --to NAME` writes a trained student.

    Offered by the hook `kdbench_exporters`; the builder's parameters are the format's options, `Offer.task` is the task
    whose students it writes, empty if of any task. kdbench loads the student, evaluates what was written by the run's task
    on the test split, compares that with the record, and moves the folder to its place only if everything succeeded::

        class StateDict:
            def check(self, student, name):
                pass

            def export(self, student, context):
                torch.save(student.module.state_dict(), context.folder / "model.pt")
                student.module.load_state_dict(torch.load(context.folder / "model.pt"))
                return Exported([ExportedModel(student, context.encoded)])

        @hookimpl
        def kdbench_exporters():
            return [Offer("state_dict", StateDict, "a state dict of PyTorch")]
    """

    def check(self, student: Owned, name: str) -> None:
        """Raises KdbenchError if a student, called `name` in its suite, cannot be written. Called before data is read."""
        ...

    def export(self, student: Owned, context: ExportContext) -> Exported:
        """Writes a student, finalized and in eval mode on the CPU, into `context.folder`. Raises KdbenchError."""
        ...
