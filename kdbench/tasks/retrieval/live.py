"""A teacher whose embeddings are computed in every step: stored ones, and what a live part adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from kdbench.contracts import Batch, LivePart, Pairs
from kdbench.contracts.border import checked_tensor, refused
from kdbench.data.dataset import CachedDataset
from kdbench.data.on_device import moved
from kdbench.storage.digest import digest_of
from kdbench.tasks.retrieval.pair_inputs import PairInputs, inputs_of
from kdbench.tasks.retrieval.stored import StoredEmbeddings


@dataclass(frozen=True)
class LiveEmbeddings:
    """Implements `TeacherOutputs`: norm(stored + change), which is the stored embedding bit for bit if nothing changes."""

    stored: StoredEmbeddings
    part: LivePart
    inputs: PairInputs

    @property
    def width(self) -> int:
        return self.stored.width

    @property
    def key(self) -> str:
        return digest_of([self.stored.key, self.part.key])

    def begin(self, device: str) -> None:
        self.part.begin(device)

    @torch.no_grad()
    def outputs(self, batch: Batch, device: str) -> Pairs:
        return self.pairs(batch, device)

    def pairs(self, batch: Batch, device: str) -> Pairs:
        """The outputs, with their graph. They have no bank: stored embeddings are not the teacher's."""
        rows = self.stored.rows(batch)
        images, texts = self.inputs.read(batch, device)
        made = self.part.changes(images, texts)
        if not isinstance(made, tuple | list) or len(made) != 2:
            raise refused(self.part, "changes", type(made).__name__, "what is added to image and to text embeddings")
        image, text = (
            normalize(moved(torch.from_numpy(row), device).float() + self._checked(change, row), dim=1)
            for row, change in zip(rows, made, strict=True)
        )
        return Pairs(image, text, self.stored.logit_scale)

    def _checked(self, change: Tensor, row: NDArray[Any]) -> Tensor:
        return checked_tensor(change, self.part, "changes", list(row.shape))


@dataclass(frozen=True)
class MovingEmbeddings(LiveEmbeddings):
    """Implements `MovingOutputs`, of a part that learns."""

    @torch.enable_grad()
    def step(self, student: Pairs, batch: Batch, device: str) -> None:
        part: Any = self.part
        part.step(self.pairs(batch, device), student, batch)

    def state_dict(self) -> dict[str, Any]:
        part: Any = self.part
        found: dict[str, Any] = part.state_dict()
        return found

    def load_state_dict(self, state: dict[str, Any]) -> None:
        part: Any = self.part
        part.load_state_dict(state)


def live(data: CachedDataset, stored: StoredEmbeddings, part: LivePart) -> LiveEmbeddings:
    """The embeddings of a teacher with a live part, whose encoders' outputs are computed or loaded from the cache."""
    inputs = inputs_of(data, stored, part.images, part.texts)
    return (MovingEmbeddings if hasattr(part, "step") else LiveEmbeddings)(stored, part, inputs)
