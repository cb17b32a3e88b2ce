"""What a teacher is given to prepare itself with: a dataset without its test split, and the one training loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn

from kdbench.contracts import Encoder, Split, Student, Task
from kdbench.data.dataset import CachedDataset
from kdbench.errors import PluginError
from kdbench.storage.checkpoint import save_weights
from kdbench.suite.settings import Evaluate, Train
from kdbench.training.loop import train

FIT_FORMAT = 1  # raise when the training loop comes to give other weights for the same recipe


class DatasetTeacherData:
    """Implements `TeacherData` for a task."""

    def __init__(self, task: Task, dataset: CachedDataset) -> None:
        self._task = task
        self._dataset = dataset
        self.device = dataset.device
        self.size = dataset.source.size

    def split(self, name: Literal["train", "validation"]) -> Split:
        return self._dataset.split(_visible(name))

    def encode(self, encoder: Encoder, split: Literal["train", "validation"]) -> NDArray[Any]:
        return self._dataset.encode(encoder, _visible(split))

    def fit(self, key: str, build: Callable[[], Student], recipe: dict[str, Any]) -> Student:
        try:
            settings = Train(**{name: value for name, value in recipe.items() if name != "seed"})
        except ValidationError as error:
            raise PluginError(f"a teacher's recipe is not one of training: {error}") from error
        seed = int(recipe.get("seed", 0))
        # As for a run: the same seed gives the same initial weights, whatever was drawn before.
        torch.manual_seed(seed)
        student = build()
        module = cast(nn.Module, student.module)
        identity = {
            "format": FIT_FORMAT,
            "dataset": self._dataset.digest,
            "key": key,
            "recipe": settings.model_dump(exclude={"checkpoint_every", "devices"}),
            "seed": seed,
        }
        # Encoded outside the entry, so that its time is that of the training.
        data = self._task.encode(self._dataset, student, "train")
        validation = self._task.encode(self._dataset, student, "validation")

        def make(folder: Path) -> None:
            def on_step(step: int, steps: int, *_: object) -> None:
                self._dataset.report("train teacher", step, steps)

            train(self._task, student, data, validation, settings, Evaluate(), seed, self.device, on_step=on_step)
            save_weights(folder / "weights.safetensors", module)

        entry = self._dataset.cache.entry("teachers", identity, make)
        self._dataset.seconds[entry.folder] = entry.seconds
        module.load_state_dict(load_file(entry.folder / "weights.safetensors"))
        module.to(self.device).eval().requires_grad_(False)
        return student


def _visible(split: Any) -> Any:
    if split not in ("train", "validation"):
        raise PluginError(f"a teacher asked for the {split!r} split; it may see 'train' and 'validation'")
    return split
