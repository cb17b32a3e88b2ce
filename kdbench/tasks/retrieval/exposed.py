"""A teacher's internals, computed in every step by its frozen model, beside its stored embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from kdbench.contracts import Batch, ExposingTeacher, Pairs, Student, Taps, Towers
from kdbench.contracts.border import refused
from kdbench.data.dataset import CachedDataset
from kdbench.plugins.internals import taps_of
from kdbench.tasks.retrieval.pair_inputs import PairInputs, inputs_of
from kdbench.tasks.retrieval.stored import StoredEmbeddings
from kdbench.training.internals import checked_internals, tapped

Model = tuple[Student, PairInputs]  # a frozen model, and what it reads of the train split


@dataclass(frozen=True)
class ExposableEmbeddings(StoredEmbeddings):
    """Stored embeddings of a teacher whose internals can be read. `model` is called if an objective reads them."""

    model: Callable[[], Model] = field(kw_only=True)

    def exposing(self, names: Sequence[str]) -> ExposedEmbeddings:
        """The same with internals. Raises PluginError if the teacher's model does not expose one of them."""
        model, inputs = self.model()
        taps = taps_of(model)
        if lacking := [name for name in names if not taps.get(name)]:
            found = ", ".join(sorted(taps)) or "none"
            raise refused(model, "taps", f"the internals {found}", f"{', '.join(lacking)}, which the objective reads")
        return ExposedEmbeddings(self, model, inputs, {name: taps[name] for name in names})


@dataclass(frozen=True)
class ExposedEmbeddings:
    """Implements `TeacherOutputs`: stored embeddings, and internals of the same images and captions."""

    stored: StoredEmbeddings
    model: Student
    inputs: PairInputs
    taps: Taps

    @property
    def width(self) -> int:
        return self.stored.width

    def outputs(self, batch: Batch, device: str) -> Pairs:
        return replace(self.stored.outputs(batch, device), internals=self._internals(batch, device))

    def _internals(self, batch: Batch, device: str) -> dict[str, tuple[Tensor, ...]]:
        """Those called `text_…` are of the text tower, others of the image tower: the other one is not run if none is asked."""
        module: Any = cast(nn.Module, self.model.module).requires_grad_(False).eval().to(device)
        texts = {name.startswith("text_") for name in self.taps}
        with torch.no_grad(), tapped(self.taps, list(self.taps)) as found:
            images, captions = self.inputs.read(batch, device)
            if False in texts:
                module.encode_image(images)
            if True in texts:
                module.encode_text(captions)
        checked = {name: checked_internals(values, name, module, len(batch)) for name, values in found.items()}
        return {name: tuple(value.float() for value in values) for name, values in checked.items()}


def exposable(data: CachedDataset, stored: StoredEmbeddings, teacher: ExposingTeacher, towers: Towers) -> ExposableEmbeddings:
    """The stored embeddings of a teacher, prepared to `towers`, whose internals can be read."""

    def model() -> Model:
        found = teacher.exposed(towers)
        return found, inputs_of(data, stored, found.images, found.texts)

    return ExposableEmbeddings(**{each.name: getattr(stored, each.name) for each in fields(stored)}, model=model)
