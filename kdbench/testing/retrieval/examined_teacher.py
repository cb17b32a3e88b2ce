"""A teacher under test, prepared with monitored training data, with a few images and captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from kdbench.contracts import Distillation, Encoder, Modality, NoTower, Split, Student, Teacher, Towers
from kdbench.data.dataset import CachedDataset
from kdbench.storage.cache import Cache, Entry
from kdbench.tasks.retrieval import Retrieval
from kdbench.tasks.retrieval.teacher_data import DatasetTeacherData
from kdbench.testing.retrieval.shapes_dataset import Shapes
from kdbench.testing.variants import Variants

MODALITIES: tuple[Modality, Modality] = ("image", "text")
COUNT = 10  # images and captions, encoded outside the cache


class WatchedData:
    """Implements `TeacherData` by delegating to another, and records the requested splits."""

    def __init__(self, data: DatasetTeacherData) -> None:
        self._data = data
        self.device, self.size = data.device, data.size
        self.asked: list[str] = []

    def split(self, name: Literal["train", "validation"]) -> Split:
        self.asked.append(name)
        return self._data.split(name)

    def encode(self, encoder: Encoder, split: Literal["train", "validation"]) -> NDArray[Any]:
        self.asked.append(split)
        return self._data.encode(encoder, split)

    def fit(
        self, key: str, build: Callable[[], Student], recipe: dict[str, Any], distillation: Distillation | None = None
    ) -> Student:
        return self._data.fit(key, build, recipe, distillation)


class _Sharing(Cache):
    """A cache with entries of its own, but datasets and outputs of encoders of another."""

    def __init__(self, root: Path, shared: Cache) -> None:
        super().__init__(root)
        self._shared = shared

    def entry(self, kind: str, *given: Any, **named: Any) -> Entry:
        if kind in ("datasets", "encodings"):
            return self._shared.entry(kind, *given, **named)
        return super().entry(kind, *given, **named)


class ExaminedTeacher:
    """Prepares a teacher once for most properties, and a second time, with an empty cache, for one of them."""

    def __init__(self, build: Callable[[], Teacher], folder: Path, variants: Variants | None = None) -> None:
        self._build, self._folder = build, folder
        self.variants = variants or Variants(build, {})
        self._counted = count()

    def prepare(self, position: str) -> tuple[Towers, WatchedData]:
        data = WatchedData(DatasetTeacherData(Retrieval(), self.dataset(position)))
        return self._build().towers(data), data

    def dataset(self, position: str) -> CachedDataset:
        """The kit's dataset with a cache of its own for each preparation."""
        return CachedDataset(Shapes(), Cache(self._folder / position))

    def pair(self, build: Callable[[], Teacher]) -> dict[Modality, Encoder]:
        """The towers of a variant. What it trains is its own, outputs of encoders it may share with other variants."""
        cache = _Sharing(self._folder / f"variant {next(self._counted)}", Cache(self._folder / "shared"))
        data = DatasetTeacherData(Retrieval(), CachedDataset(Shapes(), cache))
        towers = build().towers(data)
        return present(towers)

    @cached_property
    def teacher(self) -> Teacher:
        """A teacher that is not prepared."""
        return self._build()

    @cached_property
    def first(self) -> tuple[Towers, WatchedData]:
        return self.prepare("first")

    @property
    def towers(self) -> Towers:
        return self.first[0]

    @property
    def modalities(self) -> list[Modality]:
        """Those that the teacher has a tower for."""
        return list(present(self.towers))


def present(towers: Towers) -> dict[Modality, Encoder]:
    """The towers that a teacher has, by modality."""
    pair: dict[Modality, Encoder] = {"image": towers.image, "text": towers.text}
    return {modality: encoder for modality, encoder in pair.items() if not isinstance(encoder, NoTower)}


def items_of(modality: Modality, ids: bool = False) -> Any:
    """A few images, read-only as in the core, or captions; or the ids of either."""
    split = Shapes().split("train")
    if ids:
        return list((split.image_ids if modality == "image" else split.caption_ids)[:COUNT])
    if modality == "text":
        return list(split.captions[:COUNT])
    return sealed(np.stack(split.images[:COUNT]))


def encoded(encoder: Encoder, items: Any) -> Tensor:
    """An encoder's outputs for items, computed through its base, whose outputs the core stores as float16."""
    if encoder.base is not None:
        made = encoded(encoder.base, items)
        items = sealed((made.half().float() if made.is_floating_point() else made).numpy())
    return encoder.encode(items, "cpu").detach().cpu()


def sealed(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only copy, like the core's memory maps."""
    array.flags.writeable = False
    return array


def modules_in(value: Any, known: set[int] | None = None, depth: int = 8) -> Iterator[nn.Module]:
    """All torch modules reachable through attributes, lists and dicts."""
    known = set() if known is None else known
    if id(value) in known or depth < 0:
        return
    known.add(id(value))
    if isinstance(value, nn.Module):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from modules_in(inner, known, depth - 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from modules_in(inner, known, depth - 1)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from modules_in(vars(value), known, depth - 1)
