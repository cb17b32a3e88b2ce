"""A third party's task in one file: regression of vectors, lower is better. It is offered by hooks like any other plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench import FeedSettings, Metric, Offer, SplitName, Task, TensorOutputs, World, hookimpl
from kdbench.tasks.rows import RowBatch, RowFeed, StoredRows

Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]  # inputs [N, 6], targets [N, 3]
SIZES = {"train": 96, "validation": 80, "test": 600}


def truth(inputs: NDArray[Any]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = np.sin(inputs[:, :3]) + 0.5 * inputs[:, 3:]
    return values


class Vectors:
    """A dataset: targets are a smooth function of inputs, and noise."""

    licence = "CC0"
    encodings: Mapping[str, float] = {}

    def __init__(self, *, noise: float = 1.0) -> None:
        self.noise, self.digest = noise, f"vectors {noise}".encode().hex().ljust(64, "0")

    def split(self, name: SplitName) -> Arrays:
        rng = np.random.default_rng(len(name))
        inputs = rng.normal(size=(SIZES[name], 6)).astype(np.float32)
        return inputs, truth(inputs) + self.noise * rng.normal(size=(SIZES[name], 3)).astype(np.float32)


class Linear:
    """A teacher: the truth but for a constant error, less curved the closer `curve` is to 0."""

    def __init__(self, *, error: float = 0.0, curve: float = 1.0) -> None:
        self.error, self.curve = error, curve

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.curve * truth(inputs) + (1 - self.curve) * inputs[:, :3] + np.float32(self.error)


class Perceptron:
    """A student with one hidden layer."""

    def __init__(self, *, hidden: int = 16) -> None:
        self.width = 3
        self.module = nn.Sequential(nn.Linear(6, hidden), nn.Tanh(), nn.Dropout(0.1), nn.Linear(hidden, 3))


class Distance:
    """An objective: the squared distance from the teacher's vector."""

    def head(self, student_width: int, teacher_width: int) -> None:  # noqa: ARG002
        return None

    def losses(self, student: TensorOutputs, teacher: TensorOutputs, head: None, batch: RowBatch) -> Tensor:  # noqa: ARG002
        return (student.tensors[0] - teacher.tensors[0]).square().mean(dim=1)


class Regression(Task):
    """The task."""

    name = "regression"
    metrics = (
        Metric("mse", "MSE", higher_is_better=False, headline=True, best=0.0, decimals=4, meaning="Mean squared error."),
        Metric("mae", "MAE", higher_is_better=False, best=0.0, decimals=4, meaning="Mean absolute error."),
    )

    def encode(self, data: Vectors, student: Any, split: SplitName) -> Arrays:  # noqa: ARG002
        return data.split(split)

    def teach(self, data: Vectors, teacher: Linear) -> StoredRows:
        return StoredRows(teacher.predict(data.split("train")[0]))

    def feed(self, encoded: Arrays, settings: FeedSettings) -> RowFeed:
        return RowFeed(*encoded, settings)

    def losses(self, outputs: TensorOutputs, batch: RowBatch) -> Tensor:
        return (outputs.tensors[0] - batch.targets).square().mean(dim=1)

    def evaluate(self, student: Any, encoded: Arrays, batch_size: int, device: str, world: World) -> dict[str, NDArray[Any]]:
        inputs, targets = encoded
        read = torch.from_numpy(inputs[world.read(len(inputs))]).to(device)
        found = world.gather(torch.cat([student.module(part) for part in torch.split(read, batch_size)]), len(inputs))
        return errors(found.cpu().numpy(), targets)

    def evaluate_teacher(
        self,
        teacher: Linear,
        data: Vectors,
        split: SplitName,
        prepared: Vectors | None = None,  # noqa: ARG002
    ) -> dict[str, NDArray[Any]]:
        inputs, targets = data.split(split)
        return errors(teacher.predict(inputs), targets)

    def sizes(self, data: Vectors) -> dict[str, int]:
        return {"vectors": len(data.split("test")[0])}


def errors(found: NDArray[np.float32], targets: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Of each vector, [N]."""
    differences = found.astype(np.float64) - targets
    return {"mse": (differences**2).mean(axis=1), "mae": np.abs(differences).mean(axis=1)}


@hookimpl
def kdbench_tasks() -> list[Offer[Any]]:
    return [Offer("regression", Regression, "vectors to vectors, squared error")]


@hookimpl
def kdbench_datasets() -> list[Offer[Any]]:
    return [Offer("vectors", Vectors, task="regression")]


@hookimpl
def kdbench_teachers() -> list[Offer[Any]]:
    return [Offer("linear", Linear, task="regression")]


@hookimpl
def kdbench_students() -> list[Offer[Any]]:
    return [Offer("perceptron", Perceptron, task="regression")]


@hookimpl
def kdbench_objectives() -> list[Offer[Any]]:
    return [Offer("distance", Distance, task="regression")]
