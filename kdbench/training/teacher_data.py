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

from kdbench.contracts import Encoder, Split, Student, Teacher
from kdbench.data.dataset import CachedDataset
from kdbench.errors import PluginError
from kdbench.plugins.building import build_planned
from kdbench.storage.checkpoint import save_weights
from kdbench.suite.model import Evaluate, Train
from kdbench.tasks.retrieval.embeddings import encode_split
from kdbench.training.loop import train
from kdbench.training.team import Voice

FIT_FORMAT = 1  # raise when the training loop comes to give other weights for the same recipe


class DatasetLesson:
    """Implements `Lesson`."""

    def __init__(self, dataset: CachedDataset) -> None:
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
        data = encode_split(self._dataset, student, "train")
        validation = encode_split(self._dataset, student, "validation")

        def make(folder: Path) -> None:
            steps = settings.epochs * max(1, len(data.images) // settings.batch_size)

            def on_step(step: int, *_: object) -> None:
                self._dataset.report("train teacher", step, steps)

            train(student, data, validation, settings, Evaluate(), seed, self.device, on_step=on_step)
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


def hear(spec: dict[str, Any], dataset: CachedDataset) -> Voice:
    """A teacher's embeddings of the train split, made or found. `spec` is a plugin as plans have it."""
    teacher: Teacher = build_planned("teacher", spec)
    towers = teacher.towers(DatasetLesson(dataset))
    split = dataset.split("train")
    return Voice(
        name=spec["name"],
        image=dataset.encode(towers.image, "train"),
        text=dataset.encode(towers.text, "train"),
        logit_scale=towers.logit_scale,
        image_concepts=split.image_concepts,
        caption_concepts=split.caption_concepts,
    )
