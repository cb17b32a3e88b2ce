"""Exporters: formats in which a trained student is written for use elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kdbench.contracts.task import Task
from kdbench.contracts.values import Owned

TOLERANCE = 1e-3  # largest absolute difference allowed between an output of the exported and of the trained student


@dataclass(frozen=True)
class ExportContext:
    """What an exporter receives beside the student.

    `folder` is empty; it is renamed to its final name after everything has been written and evaluated. `data` is the run's
    dataset as `Task.open` returns it, `encoded` the test split as `Task.encode` returns it.
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
    """A written model, loaded again by the runtime that it was written for.

    `Task.evaluate` evaluates `student` on `encoded`, the test split as that model reads it. `difference` is the largest
    absolute difference between its outputs and the trained student's. `latency` maps what was timed to its median
    in milliseconds on a CPU.
    """

    student: Owned
    encoded: Owned
    difference: float | None = None
    name: str = "float32"  # of a variant, such as `int8`
    latency: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """A format's part of the model card (README.md): names that Hugging Face knows, and Markdown on how to load the folder."""

    library: str
    usage: str
    pipeline: str | None = None
    task_type: str = ""
    tags: Sequence[str] = ()


@dataclass(frozen=True)
class Exported:
    """What an exporter returns.

    The first model must agree with the student within `TOLERANCE`; further models are lossy variants, which are evaluated
    and not compared. With a `card`, kdbench writes README.md: the student, its training and its metrics. With `metadata`
    (JSON values), it writes metadata.json: these values, the run, and the measurements. `packages` are distributions whose
    versions metadata.json lists.
    """

    models: Sequence[ExportedModel]
    card: ModelCard | None = None
    metadata: Mapping[str, Any] | None = None
    packages: Sequence[str] = ()


class Exporter(Protocol):
    """A format in which `kdbench export RUN --to NAME` writes a trained student.

    Offered by the hook `kdbench_exporters`. The builder's parameters are the format's options; `Offer.task` is the task
    whose students it writes, empty for any task. kdbench loads the student, evaluates the written model on the test
    split, compares the result with the record, and renames the folder to its final name only if everything succeeded::

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
        """Raises KdbenchError if the student, labelled `name` in its suite, cannot be written. Called before data are read."""
        ...

    def export(self, student: Owned, context: ExportContext) -> Exported:
        """Writes the student (finalized, in eval mode, on the CPU) into `context.folder`. Raises KdbenchError if it cannot."""
        ...
